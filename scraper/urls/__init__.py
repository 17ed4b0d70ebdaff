"""Pure rules about URLs: canonical form, scope, identity, traps."""
