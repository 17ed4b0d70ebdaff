"""The report's CSS: readable on a phone, in dark mode and on paper. Colors have a contrast of at least 4.5."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--paper:#fbfbf9;--card:#fff;--ink:#1c2530;--dim:#56616e;--rule:#d9dde2;--ok:#2b6ca3;
--failed:#c2410c;--half:#a16207;--blocked:#86198f;--link:#1d5d91}
@media screen and (prefers-color-scheme:dark){
:root{--paper:#13171c;--card:#1b2128;--ink:#e7ebf0;--dim:#a3aebb;--rule:#323b45;
--ok:#6fb3e6;--failed:#fb8a4c;--half:#e0b040;--blocked:#e08be8;--link:#8cc4f0}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main,header,footer{max-width:70rem;margin:0 auto;padding:0 1rem}
header{padding-top:1.5rem}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .3rem;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:0 0 .8rem}
a{color:var(--link);overflow-wrap:anywhere}
p{margin:.4rem 0}
.dim,caption,figcaption,dt,.axis{color:var(--dim)}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1rem;margin:.8rem 0;padding:0}
section{background:var(--card);border:1px solid var(--rule);border-radius:.6rem;padding:1rem;margin:1rem 0}
dl.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.8rem;margin:0}
.tiles div{border-left:3px solid var(--rule);padding-left:.7rem}
.tiles dd{margin:0;font-size:1.4rem;font-weight:600;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.tiles .failed{border-color:var(--failed)}.tiles .ok{border-color:var(--ok)}
dt{font-size:.9rem}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:1rem 2rem}
.two>*{min-width:0}
figure{margin:0 0 1rem}
.chart{display:grid;grid-template:11rem/3.2rem minmax(0,1fr)}
.scale{display:flex;flex-direction:column;justify-content:space-between;text-align:right;padding-right:.5rem;
margin:-.6rem 0;height:12.2rem;font-size:.8rem;color:var(--dim);font-variant-numeric:tabular-nums}
.plot{border-bottom:1px solid var(--dim);height:11rem}
.plot svg{display:block;width:100%;height:100%}
.grid{stroke:var(--rule);stroke-width:1px;vector-effect:non-scaling-stroke}
.fill-ok{fill:var(--ok)}.fill-failed{fill:var(--failed)}
.axis{display:flex;justify-content:space-between;gap:.5rem;font-size:.8rem;font-variant-numeric:tabular-nums}
.chart-axis{margin:.3rem 0 0 3.2rem}
figcaption{margin-bottom:.9rem}
.key{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;font-size:.9rem}
.scroll{overflow-x:auto;margin-bottom:.8rem}
table{border-collapse:collapse;width:100%;font-size:.95rem}
caption{text-align:left;padding:.2rem 0}
th,td{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--rule);vertical-align:top}
thead th{font-weight:600;font-size:.85rem;color:var(--dim);white-space:nowrap}
tbody th{font-weight:400;overflow-wrap:break-word;max-width:24rem;min-width:5.6rem}
.hosts tbody th{min-width:11rem;overflow-wrap:anywhere}
.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
thead th.num{text-align:right}
.url{overflow-wrap:anywhere;min-width:14rem}
.barred .bars{width:40%;min-width:3.5rem}
.bar{display:block;height:.9rem;border-radius:0 .2rem .2rem 0;min-width:2px;margin-top:.3rem}
.bar.ok,.swatch.ok{background:var(--ok)}.bar.failed,.swatch.failed{background:var(--failed)}
.bar.dimmed{background:var(--dim)}
.swatch{display:inline-block;width:.8rem;height:.8rem;border-radius:.2rem;vertical-align:-.05rem}
@media (max-width:44.9rem){.axis span:nth-child(even){display:none}}
.strip-row{display:grid;gap:0 .8rem;align-items:center;margin:.3rem 0}
@media (min-width:45rem){.strip-row{grid-template-columns:14rem 1fr}.strip-axis{margin-left:14.8rem}}
.strip-name{overflow-wrap:anywhere;font-size:.9rem}
.strip{position:relative;height:1.1rem;background:var(--paper);border:1px solid var(--rule);border-radius:.2rem}
.piece{position:absolute;top:0;bottom:0}
.open{background:var(--failed)}.half-open{background:var(--half)}.blocked{background:var(--blocked)}
pre{overflow:auto;max-height:32rem;margin:0;font:.85rem/1.45 ui-monospace,monospace;tab-size:2}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
footer{padding-bottom:2rem;font-size:.85rem}
@media print{:root{color-scheme:light;--paper:#fff}body{color:#000;font-size:10pt}nav{display:none}
section{border:0;padding:0}h2,caption,figcaption,thead{break-after:avoid}tr,figure,.tiles,.barred{break-inside:avoid}
thead{display:table-header-group}.scroll{overflow:visible}
pre{max-height:none;overflow:visible;white-space:pre-wrap;columns:2;font-size:8pt}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
