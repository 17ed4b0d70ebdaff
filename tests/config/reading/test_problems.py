# ruff: noqa: E501  a table: each message stands whole on one line, so that it can be found and compared
from __future__ import annotations

import pytest

from scraper.config.reading.load import config_from_mapping, parse_config
from scraper.errors import ConfigError

SEEDS = "seeds: [https://a.example/]\n"
ENV = {"TOKEN": "t0k3n-of-mine", "USER": "ada"}


def problems(text: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "c.yaml", overrides, env=ENV)
    return [str(p) for p in caught.value.problems]


# id, the text after a line with seeds (so it begins on line 2), the only problem
TABLE = [
    # --- keys
    ("key-typo", "limit: {}", "c.yaml:2:1: limit: unknown key (did you mean limits?)"),
    ("key-case", "Limits: {}", "c.yaml:2:1: Limits: unknown key (did you mean limits?)"),
    ("key-hyphen", "limits: {max-pages: 3}", "c.yaml:2:10: limits.max-pages: unknown key (did you mean max_pages?)"),
    ("key-elsewhere", "max_depth: 3", "c.yaml:2:1: max_depth: unknown key (it belongs under scope)"),
    ("key-elsewhere-nested", "scope: {max_pages: 3}", "c.yaml:2:9: scope.max_pages: unknown key (it belongs under limits or politeness.hosts.*)"),
    ("key-foreign", "download_delay: 3", "c.yaml:2:1: download_delay: unknown key (did you mean politeness.per_host.rate?)"),
    ("key-far", "output: {qwzx: 3}", "c.yaml:2:10: output.qwzx: unknown key (known keys: folder, sinks, store)"),
    ("key-twice", "name: a\nname: b", "c.yaml:3:1: name: this key is already on line 2 (remove one of them)"),
    ("key-trap", "scope: {traps: {max_lenght: 99}}", "c.yaml:2:17: scope.traps.max_lenght: unknown key (did you mean max_length?)"),
    ("label-idle", "extract: [{label: x, fields: {a: b}}]", "c.yaml:2:10: extract: no follow and no seed leads to the label 'x'"),
    ("label-lost", "extract: [{fields: {a: b}, follow: {label: x}}]", "c.yaml:2:10: extract: no rule has the label 'x' that a follow gives"),
    ("carry-lost", "extract: [{fields: {a: b}, follow: {carry: [c]}}]", "c.yaml:2:36: extract[0].follow: there is no field 'c' in this rule to carry"),
    ("next-two", "extract: [{fields: {a: b}, next: {css: a, page: p}}]", "c.yaml:2:34: extract[0].next: expected one of css, xpath, json, rel, page, offset and cursor"),
    ("next-step", "extract: [{fields: {a: b}, next: {offset: o}}]", "c.yaml:2:43: extract[0].next.offset: offset needs step: how many items a page has"),
    ("next-count", "extract: [{next: {page: p}}]", "c.yaml:2:18: extract[0].next: goes on while there are items, and without fields there are none"),
    ("rules-none", "scope: {links: rules}", "c.yaml:2:8: scope: links: rules follows nothing: no extraction rule has follow or next"),
    # --- kinds
    ("kind-section", "limits: 5", "c.yaml:2:9: limits: expected a mapping, got the number 5"),
    ("kind-section-list", "scope:\n  - mode: host", "c.yaml:3:3: scope: expected a mapping, got a list (its members are written key: value, without dashes or brackets)"),
    ("kind-list", "scope: {allow: '/a/'}", "c.yaml:2:16: scope.allow: expected a list, got '/a/' (write it as a list: ['/a/'])"),
    ("kind-null", "limits:", "c.yaml:2:8: limits: expected a mapping, got nothing (null)"),
    ("kind-int-text", "limits: {max_pages: '5'}", "c.yaml:2:21: limits.max_pages: expected a whole number from 1 to 10,000,000,000, got '5'"),
    ("kind-int-float", "limits: {retries: 1.5}", "c.yaml:2:19: limits.retries: expected a whole number from 0 to 100, got the number 1.5"),
    ("kind-int-bool", "limits: {retries: true}", "c.yaml:2:19: limits.retries: expected a whole number from 0 to 100, got true"),
    ("kind-flag-yes", "network: {http2: yes}", "c.yaml:2:18: network.http2: expected true or false, got 'yes' (did you mean true?)"),
    ("kind-flag-off", "network: {http2: off}", "c.yaml:2:18: network.http2: expected true or false, got 'off' (did you mean false?)"),
    ("kind-flag-number", "scope: {sort_query: 1}", "c.yaml:2:21: scope.sort_query: expected true or false, got the number 1 (did you mean true?)"),
    ("kind-text-number", "name: 5", "c.yaml:2:7: name: expected a name, got the number 5"),
    ("kind-mapping-names", "headers: [a]", "c.yaml:2:10: headers: expected a mapping, got a list (its members are written key: value, without dashes or brackets)"),
    ("kind-field", "extract: [{fields: {a: 5}}]", "c.yaml:2:24: extract[0].fields.a: expected a CSS selector or a mapping, got the number 5"),
    ("kind-rule", "extract: [h1]", "c.yaml:2:11: extract[0]: expected a mapping, got 'h1'"),
    ("kind-robots", "politeness: {robots: 5}", "c.yaml:2:22: politeness.robots: expected obey or ignore or a mapping, got the number 5"),
    # --- words
    ("word-mode", "scope: {mode: hosts}", "c.yaml:2:15: scope.mode: expected page, prefix, host, domain or any, got 'hosts' (did you mean host?)"),
    ("word-robots", "politeness: {robots: obay}", "c.yaml:2:22: politeness.robots: expected obey or ignore, got 'obay' (did you mean obey?)"),
    ("word-robots-false", "politeness: {robots: {policy: false}}", "c.yaml:2:31: politeness.robots.policy: expected obey or ignore, got false (did you mean ignore?)"),
    ("word-sitemaps", "sitemaps: false", "c.yaml:2:11: sitemaps: expected auto or off, got false (did you mean off?)"),
    ("word-sink", "output: {sinks: [jsonl, json]}", "c.yaml:2:25: output.sinks[1]: expected jsonl, csv, sqlite, parquet or stdout, got 'json' (did you mean jsonl?)"),
    ("word-type", "extract: [{fields: {a: {css: b, type: number}}}]", "c.yaml:2:39: extract[0].fields.a.type: expected text, int, float, decimal, bool, url, date or html, got 'number' (did you mean decimal?)"),
    ("word-other", "output: {sinks: [json]}", "c.yaml:2:18: output.sinks[0]: expected jsonl, csv, sqlite, parquet or stdout, got 'json' (did you mean jsonl?)"),
    ("list-mapping", "extract: {fields: {a: b}}", "c.yaml:2:10: extract: expected a list, got a mapping (each member begins with a dash, and its keys stand below each other)"),
    ("whole-point", "limits: {concurrency: 10.0}", "c.yaml:2:23: limits.concurrency: expected a whole number from 1 to 10,000 (without a point and an exponent: 10)"),
    ("duration-words", "limits: {timeout: 1.5 Minutes}", "c.yaml:2:19: limits.timeout: expected a duration such as 500ms, 30s, 5m, 2h or 1d (a plain number is seconds), got '1.5 Minutes' (did you mean 1.5m?)"),
    ("size-words", "limits: {max_bytes: 20 megabytes}", "c.yaml:2:21: limits.max_bytes: expected a size such as 500KB, 20MB or 1GiB (a plain number is bytes), got '20 megabytes' (did you mean 20MB?)"),
    ("rate-words", "politeness: {per_host: {rate: 30 requests per minute}}", "c.yaml:2:31: politeness.per_host.rate: expected a rate such as 2/s, 30/m or 500/h, a number per second, or unlimited, got '30 requests per minute' (did you mean 30/m?)"),
    ("rate-short", "politeness: {per_host: {rate: 2 rps}}", "c.yaml:2:31: politeness.per_host.rate: expected a rate such as 2/s, 30/m or 500/h, a number per second, or unlimited, got '2 rps' (did you mean 2/s?)"),
    ("word-links", "extract: [{fields: {a: {links: inscope}}}]", "c.yaml:2:32: extract[0].fields.a.links: expected in_scope or all, got 'inscope' (did you mean in_scope?)"),
    ("word-durability", "durability: disk", "c.yaml:2:13: durability: expected process or power, got 'disk'"),
    ("word-nofollow", "politeness: {nofollow: obey}", "c.yaml:2:24: politeness.nofollow: expected respect or ignore, got 'obey'"),
    ("sinks-twice", "output: {sinks: [csv, csv]}", "c.yaml:2:17: output.sinks: csv is listed twice"),
    ("sinks-empty", "output: {sinks: []}", "c.yaml:2:17: output.sinks: must not be empty"),
    # --- numbers
    ("number-negative", "scope: {max_depth: -1}", "c.yaml:2:20: scope.max_depth: must be between 0 and 10,000, got -1"),
    ("number-zero", "limits: {max_pages: 0}", "c.yaml:2:21: limits.max_pages: must be between 1 and 10,000,000,000, got 0"),
    ("number-absurd", "limits: {concurrency: 1000000}", "c.yaml:2:23: limits.concurrency: must be between 1 and 10,000, got 1000000"),
    ("number-huge", "limits: {retries: 99999999999999999999}", "c.yaml:2:19: limits.retries: must be between 0 and 100, got a huge number"),
    ("number-ratio", "politeness: {breaker: {ratio: 1.5}}", "c.yaml:2:31: politeness.breaker.ratio: must be between 0.01 and 1, got 1.5"),
    ("number-nan", "politeness: {breaker: {ratio: .nan}}", "c.yaml:2:31: politeness.breaker.ratio: must be between 0.01 and 1, got not a number (nan)"),
    ("duration-zero", "limits: {timeout: 0s}", "c.yaml:2:19: limits.timeout: must be between 100ms and 1h, got 0s"),
    ("duration-negative", "limits: {timeout: -5}", "c.yaml:2:19: limits.timeout: must not be negative, got -5"),
    ("duration-unit", "limits: {timeout: 5 sec}", "c.yaml:2:19: limits.timeout: expected a duration such as 500ms, 30s, 5m, 2h or 1d (a plain number is seconds), got '5 sec' (did you mean 5s?)"),
    ("duration-clock", "limits: {max_time: 1:30:00}", "c.yaml:2:20: limits.max_time: expected a duration such as 500ms, 30s, 5m, 2h or 1d (a plain number is seconds), got '1:30:00' (for hours and minutes write 1h30m)"),
    ("duration-infinite", "limits: {max_time: .inf}", "c.yaml:2:20: limits.max_time: expected a duration such as 500ms, 30s, 5m, 2h or 1d (a plain number is seconds), got a huge number"),
    ("size-unit", "limits: {max_bytes: 2XB}", "c.yaml:2:21: limits.max_bytes: expected a size such as 500KB, 20MB or 1GiB (a plain number is bytes), got '2XB'"),
    ("size-tiny", "limits: {max_bytes: 1}", "c.yaml:2:21: limits.max_bytes: must be between 1KB and 10GB, got 1"),
    ("size-fraction", "limits: {max_bytes: 2000.5}", "c.yaml:2:21: limits.max_bytes: expected a size such as 500KB, 20MB or 1GiB (a plain number is bytes), got the number 2000.5"),
    ("rate-zero", "politeness: {per_host: {rate: 0}}", "c.yaml:2:31: politeness.per_host.rate: a rate of 0 would never send a request (to leave a host out, use scope.deny; for no limit: unlimited)"),
    ("rate-text", "politeness: {per_host: {rate: fast}}", "c.yaml:2:31: politeness.per_host.rate: expected a rate such as 2/s, 30/m or 500/h, a number per second, or unlimited, got 'fast'"),
    ("rate-absurd", "politeness: {per_host: {rate: 1000000/s}}", "c.yaml:2:31: politeness.per_host.rate: must be between 1/d and 100,000/s or unlimited, got 1000000/s"),
    ("rate-overlay", "politeness: {hosts: {a.example: {rate: -1}}}", 'c.yaml:2:40: politeness.hosts."a.example".rate: must not be negative, got -1'),
    ("breaker-order", "politeness: {breaker: {open: 2h}}", "c.yaml:2:30: politeness.breaker.open: the first pause is longer than max_open (raise max_open as well)"),
    ("overlay-null", "politeness: {hosts: {a: {adaptive: null}}}", "c.yaml:2:36: politeness.hosts.a.adaptive: expected true or false, got nothing (null)"),
    # --- patterns
    ("regex-open", "scope: {allow: ['/a(']}", "c.yaml:2:17: scope.allow[0]: bad regular expression at character 3: missing ), unterminated subpattern"),
    ("regex-glob", "scope: {deny: ['*.zip']}", "c.yaml:2:16: scope.deny[0]: bad regular expression at character 1: nothing to repeat (a regular expression, not a wildcard: * repeats what comes before it; write .* for anything)"),
    ("regex-empty", "scope: {deny: ['']}", "c.yaml:2:16: scope.deny[0]: expected a regular expression, got an empty text (put it in single quotes)"),
    ("regex-number", "files: {match: [5]}", "c.yaml:2:17: files.match[0]: expected a regular expression, got the number 5"),
    ("regex-long", f"scope: {{deny: ['{'a' * 1001}']}}", "c.yaml:2:16: scope.deny[0]: a regular expression may have 1,000 characters, this one has 1,001"),
    ("regex-overflow", "scope: {deny: ['a{99999999999999999999}']}", "c.yaml:2:16: scope.deny[0]: bad regular expression: too large or too deeply nested"),
    ("regex-trap", "scope: {traps: {allow: ['[a']}}", "c.yaml:2:25: scope.traps.allow[0]: bad regular expression at character 1: unterminated character set"),
    ("css-combinator", "extract: [{fields: {a: 'h1 >'}}]", "c.yaml:2:24: extract[0].fields.a: bad CSS selector 'h1 >'"),
    ("css-bracket", "extract: [{fields: {a: 'a[href'}}]", "c.yaml:2:24: extract[0].fields.a: bad CSS selector 'a[href': a bracket or a quote is not closed"),
    ("css-scrapy", "extract: [{fields: {a: 'h1::text'}}]", "c.yaml:2:24: extract[0].fields.a: bad CSS selector 'h1::text' (the text is taken by default: leave ::text out)"),
    ("css-attr", "extract: [{fields: {a: 'a::attr(href)'}}]", "c.yaml:2:24: extract[0].fields.a: bad CSS selector 'a::attr(href)' (name the attribute in the key attr instead of ::attr(...))"),
    ("css-contains", "extract: [{each: 'p:contains(\"x\")', fields: {a: b}}]", "c.yaml:2:18: extract[0].each: bad CSS selector 'p:contains(\"x\")' (write :lexbor-contains(\"...\"))"),
    ("css-xpath", "extract: [{fields: {a: {css: '//h1'}}}]", "c.yaml:2:30: extract[0].fields.a.css: bad CSS selector '//h1' (this looks like XPath: write it under the key xpath)"),
    ("css-empty", "extract: [{fields: {a: ' '}}]", "c.yaml:2:24: extract[0].fields.a: expected a CSS selector, got ' '"),
    ("css-long", f"extract: [{{each: '{'a ' * 600}', fields: {{a: b}}}}]", "c.yaml:2:18: extract[0].each: a CSS selector may have 1,000 characters, this one has 1,200"),
    ("files-no-element", "files: {css: ['@src']}", "c.yaml:2:15: files.css[0]: an attribute needs an element before it (did you mean *@src?)"),
    ("files-bad-selector", "files: {css: ['img[@src']}", "c.yaml:2:15: files.css[0]: bad CSS selector 'img[': a bracket or a quote is not closed"),
    ("files-bad-attribute", "files: {css: ['img@a b']}", "c.yaml:2:15: files.css[0]: 'a b' is not an attribute's name (for example img.cover@src)"),
    ("param", "scope: {strip_params: ['a=b']}", "c.yaml:2:24: scope.strip_params[0]: expected a parameter's name such as utm_*, got 'a=b'"),
    ("param-none", "scope: {strip_params: [';']}", "c.yaml:2:24: scope.strip_params[0]: expected a parameter's name such as utm_*, got ';'"),
    ("param-all", "scope: {strip_params: ['*']}", "c.yaml:2:24: scope.strip_params[0]: expected a parameter's name such as utm_*, got '*'"),
    # --- hosts and names
    ("host-url", "scope: {hosts: ['https://b.example/x']}", "c.yaml:2:17: scope.hosts[0]: expected a host name, * allowed (*.books.example), not a URL (did you mean b.example?)"),
    ("host-path", "scope: {hosts: [b.example/x]}", "c.yaml:2:17: scope.hosts[0]: expected a host name, * allowed (*.books.example), got 'b.example/x'"),
    ("host-port", "scope: {hosts: ['b.example:99999']}", "c.yaml:2:17: scope.hosts[0]: expected a host name, * allowed (*.books.example), got 'b.example:99999'"),
    ("host-twice", "politeness: {hosts: {B.example: {}, b.example: {}}}", 'c.yaml:2:48: politeness.hosts."b.example": the same host is given twice, spelled differently'),
    ("host-auth-wild", "auth: {'*.example': {bearer: a}}", "c.yaml:2:8: auth: is not a host name (for example books.example: {basic: ...})"),
    ("name-slash", "name: a/b", "c.yaml:2:7: name: expected a name of letters, digits, spaces, _ . and -, beginning with a letter or digit, got 'a/b'"),
    ("name-dots", "name: ..", "c.yaml:2:7: name: expected a name of letters, digits, spaces, _ . and -, beginning with a letter or digit, got '..'"),
    ("field-url", "extract: [{fields: {url: a}}]", "c.yaml:2:21: extract[0].fields.url: every item has a url already: the address of its page (choose another name)"),
    ("field-twice", "extract: [{fields: {a: b, A: c}}]", "c.yaml:2:30: extract[0].fields.A: the same field is given twice, spelled differently"),
    ("field-empty", "extract: [{fields: {}}]", "c.yaml:2:20: extract[0].fields: must not be empty"),
    ("field-missing", "extract: [{match: a}]", "c.yaml:2:11: extract[0]: expected fields, follow or next"),
    ("hook", "hooks: my-hooks", "c.yaml:2:8: hooks: expected a module or module:Class, such as mypackage.hooks:Prices or hooks.py, got 'my-hooks'"),
    ("user-agent", "politeness: {user_agent: ''}", "c.yaml:2:26: politeness.user_agent: expected a name such as mybot/1.0 (+https://example.org/bot), got an empty text"),
    ("user-agent-unicode", "politeness: {user_agent: 'bücher/1'}", "c.yaml:2:26: politeness.user_agent: must be ASCII and begin with a name (for example mybot/1.0 (+https://example.org/bot))"),
    ("user-agent-line", 'politeness: {user_agent: "a\\nb"}', "c.yaml:2:26: politeness.user_agent: holds a line break or a control character"),
    ("folder", "output: {folder: 5}", "c.yaml:2:18: output.folder: expected a folder such as out/books, got the number 5"),
    ("folder-env", "output: {folder: '${HOME}/x'}", "c.yaml:2:18: output.folder: environment variables are not read here (${NAME} works in auth, headers, network.proxy and what a seed posts)"),
    # --- fields
    ("source-none", "extract: [{fields: {a: {type: int}}}]", "c.yaml:2:24: extract[0].fields.a: expected a source: css, xpath, json, regex, structured, main_text, links or fields"),
    ("source-two", "extract: [{fields: {a: {css: b, xpath: //c}}}]", "c.yaml:2:40: extract[0].fields.a.xpath: a field has one source: css or xpath, not both"),
    ("source-each", "extract: [{fields: {a: {each: b}}}]", "c.yaml:2:31: extract[0].fields.a.each: means nothing without fields; many: true takes every match"),
    ("source-kinds", "extract: [{fields: {a: b, c: {json: d}}}]", "c.yaml:2:11: extract[0]: json reads JSON pages and everything else HTML; a rule reads one of them (make two rules)"),
    ("object-kinds", "extract: [{fields: {a: {css: b, fields: {c: {json: d}}}}}]", "c.yaml:2:41: extract[0].fields.a.fields: its fields must read html, as it does itself"),
    ("object-type", "extract: [{fields: {a: {css: b, type: int, fields: {c: d}}}}]", "c.yaml:2:39: extract[0].fields.a.type: means nothing beside fields: they read what is inside"),
    ("object-inner", "extract: [{fields: {a: {css: b, fields: {c: {css: 'h1 >'}}}}}]", "c.yaml:2:51: extract[0].fields.a.fields.c.css: bad CSS selector 'h1 >'"),
    ("object-unknown", "extract: [{fields: {a: {css: b, fields: {c: {requird: d}}}}}]", "c.yaml:2:46: extract[0].fields.a.fields.c.requird: unknown key (did you mean required?)"),
    ("structured-name", "extract: [{fields: {a: {structured: [https://schema.org/Product]}}}]", "c.yaml:2:38: extract[0].fields.a.structured[0]: expected a type such as product, article or opengraph, got 'https://schema.org/Product' (the name alone, without the address)"),
    ("step-word", "extract: [{fields: {a: {css: b, transform: [stip]}}}]", "c.yaml:2:45: extract[0].fields.a.transform[0]: unknown step 'stip' (did you mean strip?)"),
    ("step-bare", "extract: [{fields: {a: {css: b, transform: [split]}}}]", "c.yaml:2:45: extract[0].fields.a.transform[0]: unknown step 'split' (write it with what it needs: {split: ...})"),
    ("step-pair", "extract: [{fields: {a: {css: b, transform: [{replace: x}]}}}]", "c.yaml:2:45: extract[0].fields.a.transform[0]: expected two texts: what, and by what, got 'x' (for example {replace: [',', '.']})"),
    ("step-lone", "extract: [{fields: {a: {css: b, transform: [{lower: x}]}}}]", "c.yaml:2:45: extract[0].fields.a.transform[0]: unknown step 'lower' (write it alone: lower)"),
    ("when-none", "extract: [{when: {equals: 1}, fields: {a: b}}]", "c.yaml:2:18: extract[0].when: expected one of css, xpath, json, regex and field"),
    ("when-field", "extract: [{when: {field: c}, fields: {a: b}}]", "c.yaml:2:18: extract[0].when: there is no field 'c' in this rule"),
    ("table-type", "extract: [{fields: {a: {css: b, table: rows, type: int}}}]", "c.yaml:2:52: extract[0].fields.a.type: means nothing beside table, which is a list of rows"),
    ("structured-attr", "extract: [{fields: {a: {structured: product, attr: c}}}]", "c.yaml:2:52: extract[0].fields.a.attr: structured has no attributes; they belong to elements"),
    ("source-both", "extract: [{fields: {a: {css: b, links: all}}}]", "c.yaml:2:40: extract[0].fields.a.links: a field has one source: css or links, not both"),
    ("links-attr", "extract: [{fields: {a: {links: all, attr: href}}}]", "c.yaml:2:43: extract[0].fields.a.attr: means nothing beside links, which is always a list of URLs"),
    ("html-attr", "extract: [{fields: {a: {css: b, type: html, attr: c}}}]", "c.yaml:2:39: extract[0].fields.a.type: html is the source of an element; an attribute has none"),
    ("required-default", "extract: [{fields: {a: {css: b, required: true, default: c}}}]", "c.yaml:2:58: extract[0].fields.a.default: a required field cannot have a default: without the field there is no item"),
    ("default-mapping", "extract: [{fields: {a: {css: b, default: {}}}}]", "c.yaml:2:42: extract[0].fields.a.default: expected a text, a number, true, false or a list of them, got a mapping"),
    ("default-list", "extract: [{fields: {a: {css: b, default: [1]}}}]", "c.yaml:2:42: extract[0].fields.a.default: a list as the default needs many: true"),
    ("attr-name", "extract: [{fields: {a: {css: b, attr: '@c'}}}]", "c.yaml:2:39: extract[0].fields.a.attr: expected an attribute's name such as href, got '@c'"),
    # --- headers, auth, proxy
    ("header-agent", "headers: {User-Agent: x}", "c.yaml:2:11: headers.User-Agent: User-Agent cannot be set here (set politeness.user_agent; robots.txt rules are matched with its name)"),
    ("header-name", "headers: {'a b': x}", "c.yaml:2:11: headers: is not a header's name (a name, a colon and the text: Accept-Language: en)"),
    ("header-number", "headers: {A: 5}", "c.yaml:2:14: headers.A: expected a header's text (put the text in quotes)"),
    ("header-line", 'headers: {A: "b\\r\\nC: d"}', "c.yaml:2:14: headers.A: holds a line break, a control character or one that a header cannot carry"),
    ("header-twice", "headers: {Accept: a, accept: b}", "c.yaml:2:30: headers.accept: the same header is given twice, spelled differently"),
    ("env-missing", "headers: {A: '${NOPE}'}", "c.yaml:2:14: headers.A: the environment variable NOPE is not set"),
    ("env-open", "headers: {A: '${TOKEN'}", "c.yaml:2:14: headers.A: a reference to the environment is written ${NAME}: letters, digits and _"),
    ("env-default", "headers: {A: '${TOKEN:-x}'}", "c.yaml:2:14: headers.A: a reference to the environment is written ${NAME}: letters, digits and _"),
    ("auth-basic", "auth: {h.example: {basic: '${USER}'}}", 'c.yaml:2:27: auth."h.example".basic: expected USER:PASSWORD with a colon between them (for example "${USER}:${PASS}")'),
    ("auth-none", "auth: {h.example: {}}", 'c.yaml:2:19: auth."h.example": expected one of basic: and bearer:'),
    ("auth-bearer", "auth: {h.example: {bearer: 'Bearer x'}}", 'c.yaml:2:28: auth."h.example".bearer: is not a bearer token: letters, digits and ._~+/-= only, without the word Bearer'),
    ("proxy-scheme", "network: {proxy: 'ftp://p.example'}", "c.yaml:2:18: network.proxy: expected a proxy address such as http://proxy.example:3128 (http, https, socks5 and socks5h are known)"),
    ("proxy-none", "network: {proxy: ''}", "c.yaml:2:18: network.proxy: is not an address; expected a proxy address such as http://proxy.example:3128"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), [case[1:] for case in TABLE], ids=[case[0] for case in TABLE])
def test_a_mistake_is_named_with_place_key_and_remedy(text: str, problem: str) -> None:
    """Each mistake gives one problem: file, line, column, key path, what is wrong and what to do."""
    assert problems(SEEDS + text) == [problem]


SEED_TABLE = [
    ("missing", "name: a", "c.yaml:1:1: seeds: is missing"),
    ("empty", "seeds: []", "c.yaml:1:8: seeds: must not be empty"),
    ("null", "seeds:", "c.yaml:1:7: seeds: expected a list, got nothing (null)"),
    ("text", "seeds: https://a.example/", "c.yaml:1:8: seeds: expected a list, got 'https://a.example/' (write it as a list: ['https://a.example/'])"),
    ("no-scheme", "seeds: [a.example]", "c.yaml:1:9: seeds[0]: expected a URL such as https://books.example/, got 'a.example' (did you mean https://a.example?)"),
    ("scheme", "seeds: ['ftp://a.example/']", "c.yaml:1:9: seeds[0]: only http and https can be crawled, not ftp"),
    ("space", "seeds: ['https://a b/']", "c.yaml:1:9: seeds[0]: expected a URL such as https://books.example/, got 'https://a b/'"),
    ("credentials", "seeds: ['https://me:hunter2@a.example/']", "c.yaml:1:9: seeds[0]: holds a user name or a password (put them under auth: {a.example: {basic: ...}})"),
    ("credentials-broken", "seeds: ['https://me:hunter2@a b/']", "c.yaml:1:9: seeds[0]: expected a URL such as https://books.example/, got an address that cannot be read"),
    ("file", "seeds: [{file: nowhere.txt}]", "c.yaml:1:16: seeds[0].file: nowhere.txt: no such file (the path is relative to the config's own folder)"),
    ("file-folder", "seeds: [{file: /}]", "c.yaml:1:16: seeds[0].file: / is a folder, not a file of URLs"),
    ("path", "seeds: [/sitemap.xml]", "c.yaml:1:9: seeds[0]: expected a URL such as https://books.example/, got '/sitemap.xml' (the whole address, with https:// and its host)"),
    ("another-name", "start_urls: ['https://a.example/']", "c.yaml:1:1: start_urls: unknown key (did you mean seeds?)"),
    ("sitemap", "seeds: [{sitemap: sitemap.xml}]", "c.yaml:1:19: seeds[0].sitemap: expected a URL such as https://books.example/, got 'sitemap.xml' (did you mean https://sitemap.xml?)"),
    ("both", "seeds: [{sitemap: 'https://a/s', url: 'https://a/'}]", "c.yaml:1:9: seeds[0]: expected a URL, or one of file: and sitemap:"),
    ("number", "seeds: [5]", "c.yaml:1:9: seeds[0]: expected a URL or a mapping, got the number 5"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), [c[1:] for c in SEED_TABLE], ids=[c[0] for c in SEED_TABLE])
def test_a_mistake_in_the_seeds_is_named(text: str, problem: str) -> None:
    """Seeds are checked one by one, and no message repeats a password."""
    assert problems(text) == [problem]


def test_all_problems_come_at_once_in_file_order() -> None:
    """One reading names everything: syntax of keys, kinds, patterns, then the options."""
    found = problems(
        "name: 5\nseeds: [x]\nlimits:\n  retries: -1\n  retries: 2\n  timeout: z\nfiles: {css: ['a[']}\n",
        "limits.max_pages=none",
        "sitemaps=maybe",
    )
    assert [p.split(": ")[0] for p in found] == [
        "c.yaml:1:7",
        "c.yaml:2:9",
        "c.yaml:4:12",
        "c.yaml:5:3",
        "c.yaml:6:12",
        "c.yaml:7:15",
        "--set limits.max_pages",
        "--set sitemaps",
    ]


def test_a_refused_value_is_not_complained_about_twice() -> None:
    """An alias is one problem, not also a missing or wrong value."""
    assert problems("x: &a\n" + SEEDS + "limits: *a")[1:] == [
        "c.yaml:3:9: limits: aliases are not read; write the value out (quote a text with *)"
    ]


def test_many_problems_are_cut_short() -> None:
    """A file that is something else entirely does not fill the screen."""
    found = problems("".join(f"key{n}: 1\n" for n in range(5000)))
    assert len(found) == 101
    assert found[-1] == "c.yaml: and more problems"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "c.yaml:1:1: is empty (the least is: seeds: [https://books.example/])"),
        ("# only a comment\n", "c.yaml:1:1: is empty (the least is: seeds: [https://books.example/])"),
        ("null", "c.yaml:1:1: is empty (the least is: seeds: [https://books.example/])"),
        (
            "- a",
            "c.yaml:1:1: must be a mapping of keys, such as `seeds: [...]` (the least is: seeds: [https://books.example/])",
        ),
        (
            "https://books.example/",
            "c.yaml:1:1: must be a mapping of keys, such as `seeds: [...]` (the least is: seeds: [https://books.example/])",
        ),
    ],
    ids=["nothing", "comment", "null", "list", "text"],
)
def test_a_text_that_is_no_mapping_says_what_the_least_is(text: str, problem: str) -> None:
    """An empty file or a bare URL is answered with the smallest config."""
    assert problems(text) == [problem]


def test_a_mapping_from_python_gives_key_paths() -> None:
    """Values that came from no file have a key path and no place."""
    with pytest.raises(ConfigError) as caught:
        config_from_mapping({"seeds": ["https://a.example/"], "limits": {"retries": -1}, "sead": 1})
    assert [str(p) for p in caught.value.problems] == [
        "limits.retries: must be between 0 and 100, got -1",
        "sead: unknown key (did you mean seeds?)",
    ]
    assert all(p.line is None for p in caught.value.problems)
