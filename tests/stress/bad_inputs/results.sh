# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
# Bad input of the commands that read results, and the rest; read by ../bad_inputs.sh.
bad compare
bad compare "$T"/r_nonsense.json
bad compare "$T"/r_nonsense.json "$T"/r_nonsense.json
bad compare "$T"/r_broken.json "$T"/r_broken.json
bad compare "$T"/missing.json "$T"/missing.json
bad compare "$T"/d_nothing "$T"/d_nothing
bad compare "$T"/d_res "$T"/d_res
bad compare "$T"/r_ok0.json "$T"/r_ok0.json
bad compare a b c
bad compare baseline:nope "$T"/r_ok0.json
bad compare baseline: "$T"/r_ok0.json
bad compare baseline:../x "$T"/r_ok0.json
bad compare "$GOOD" "$GOOD" --policy "$T"/g_bad.toml
bad compare "$GOOD" "$GOOD" --policy "$T"/g_key.toml
bad compare "$GOOD" "$GOOD" --policy "$T"/missing.toml
bad compare "$GOOD" "$GOOD" --fail-on slow
bad compare "$GOOD" "$GOOD" --fail-on ''
bad compare "$GOOD" "$GOOD" --md "$T"/nodir/x.md
bad compare "$GOOD" "$GOOD" --json "$T"
bad compare "$GOOD" "$GOOD" --junit "$T"/nodir/x
bad compare "$GOOD" "$GOOD" --rounds 0
bad compare "$GOOD" "$GOOD" --sweep x.toml
bad compare "$GOOD" "$GOOD" --save-baseline ../x
bad compare "$GOOD" "$GOOD" --run a b
bad compare --run /nope /nope --sweep "$T"/s_ok.toml
bad compare --run /bin/true /bin/true --sweep "$T"/s_ok.toml
bad compare --run /bin/true /bin/true
bad compare "$GOOD" "$GOOD" --calibrate "$T"/nodir/x
bad compare "$GOOD" "$GOOD" --threads 0
bad compare "$GOOD" "$GOOD" --profile tiny
bad validate
bad validate "$T"/missing.json
bad validate "$T"
bad validate "$T"/r_nonsense.json
bad validate "$T"/r_broken.json
bad validate "$T"/r_schema.json
bad validate "$T"/r_array.json
bad validate "$T"/r_num.json
bad validate "$T"/r_cells.json
bad validate "$T"/r_cell.json
bad validate "$T"/r_empty.json
bad validate "$T"/r_deep.json
bad validate "$T"/r_big.json
bad validate "$T"/r_null.json
bad validate "$T"/r_twice.json
bad validate "$T"/r_tail.json
bad validate "$T"/r_nul.json
bad validate "$T"/d_twice/cells.jsonl
bad validate "$T"/d_tail/cells.jsonl
bad validate "$T"/ok.st
bad validate "$T"/d_nonsense/cells.jsonl
bad validate "$T"/d_half/cells.jsonl
bad validate "$T"/d_nonobj/cells.jsonl
bad validate "$T"/d_wrong/cells.jsonl
bad validate "$T"/d_arr/cells.jsonl
bad validate "$T"/s_syntax.toml
bad validate "$T"/s_axis.toml
bad validate "$T"/s_exp.toml
bad validate "$T"/s_emptylist.toml
bad validate "$T"/s_prof4.toml
bad validate "$T"/s_prof5.toml
bad validate "$T"/s_val3.toml
bad validate "$T"/s_only6.toml
bad validate "$T"/s_bin.toml
bad validate "$T"/s_deep.toml
bad validate "$T"/s_ok.toml "$T"/missing.toml
bad validate --jsn "$T"/s_ok.toml
bad report
bad report "$T"/missing
bad report "$T"/ok.st
bad report "$T"/d_nothing
bad report "$T"/d_res
bad report "$GOODDIR" -o "$T"/ok.st
bad report "$GOODDIR" -o "$T"/ok.st/x
bad export "$GOODDIR"
bad export "$GOODDIR" --for cvs
bad export "$GOODDIR" --for csv -o "$T"/ok.st
bad export "$T"/d_nothing --for csv
bad export "$T"/r_nonsense.json --for csv
bad export "$T"/missing --for csv
bad export "$T"/d_res --for csv
bad status
bad status "$T"/missing
bad status "$T"/d_twice
bad merge "$T"/d_twice
bad merge "$T"/d_tail
bad status "$T"/ok.st
bad merge
bad merge "$T"/missing
bad merge "$T"/ok.st
bad merge "$T"/d_wrong2
bad merge "$GOODDIR" "$GOODDIR"
bad merge "$GOODDIR" "$GOODDIR" -o "$T"/ok.st
bad merge "$GOODDIR" "$T"/missing -o "$O".m
bad evaluate
bad evaluate "$T"/missing
bad evaluate "$T"/ok.st
bad evaluate "$T"/d_nothing
bad evaluate "$T"/m_nonsense
bad evaluate "$T"/m_nonsense --set x=1
bad evaluate "$T"/m_nonsense --set corpus
bad evaluate "$T"/m_nonsense --context 0
bad evaluate "$T"/m_nonsense --context x
bad evaluate "$T"/m_nonsense --set split=tset
bad evaluate "$T"/m_ok
bad evaluate "$T"/m_nonsense --set corpus=/nope
bad evaluate "$T"/m_nonsense --temperature -1
bad evaluate "$T"/m_nonsense --temperature nan
bad noise --seconds 0
bad noise --seconds x
bad list nothing
bad list mechanism
bad list mechanisms experiments
bad list --jsn
bad doctor x
bad lst
bad
bad --nope
bad ''
bad runn x
bad
bad noise --seconds nan
