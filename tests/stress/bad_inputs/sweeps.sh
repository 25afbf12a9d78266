# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
# Bad input of plan, run, slurm: selectors and sweep files; read by ../bad_inputs.sh.
bad plan "$T"/s_syntax.toml
bad plan "$T"/s_axis.toml
bad plan "$T"/s_exp.toml
bad plan "$T"/s_noexp.toml
bad plan "$T"/s_emptylist.toml
bad plan "$T"/s_scalar.toml
bad plan "$T"/s_only1.toml
bad plan "$T"/s_only2.toml
bad plan "$T"/s_only3.toml
bad plan "$T"/s_only4.toml
bad plan "$T"/s_only5.toml
bad plan "$T"/s_only6.toml
bad plan "$T"/s_only7.toml
bad plan "$T"/s_only8.toml
bad plan "$T"/s_only9.toml
bad plan "$T"/s_only10.toml
bad plan "$T"/s_only11.toml
bad plan "$T"/s_excl.toml
bad plan "$T"/s_excl2.toml
bad plan "$T"/s_prof.toml
bad plan "$T"/s_prof2.toml
bad plan "$T"/s_prof3.toml
bad plan "$T"/s_both.toml
bad plan "$T"/s_lim.toml
bad plan "$T"/s_lim2.toml
bad plan "$T"/s_lim3.toml
bad plan "$T"/s_lim4.toml
bad plan "$T"/s_val.toml
bad plan "$T"/s_val2.toml
bad plan "$T"/s_val3.toml
bad plan "$T"/s_val4.toml
bad plan "$T"/s_val5.toml
bad plan "$T"/s_val6.toml
bad plan "$T"/s_val7.toml
bad plan "$T"/s_val8.toml
bad plan "$T"/s_val9.toml
bad plan "$T"/s_root.toml
bad plan "$T"/s_name.toml
bad plan "$T"/s_name2.toml
bad plan "$T"/s_exp2.toml
bad plan "$T"/s_many.toml
bad plan "$T"/s_dup.toml
bad plan "$T"/s_empty.toml
bad plan "$T"/s_fixedlist.toml
bad plan "$T"/s_cells.toml
bad plan "$T"/s_huge.toml
bad plan "$T"/s_huge2.toml
bad plan "$T"/s_bin.toml
bad plan "$T"/s_utf.toml
bad plan "$T"/s_deep.toml
bad plan "$T"/missing.toml
bad plan "$T"
bad plan
bad plan "$T"/s_ok.toml "$T"/s_ok.toml
bad plan "$T"/s_ok.toml --profile smok
bad plan "$T"/s_ok.toml --profile ''
bad plan "$T"/s_ok.toml --shard 0/3
bad plan "$T"/s_ok.toml --shard 4/3
bad plan "$T"/s_ok.toml --shard x
bad plan "$T"/s_ok.toml --shard 1/
bad plan "$T"/s_ok.toml --shard 1/3/4
bad plan "$T"/s_ok.toml --axis length
bad plan "$T"/s_ok.toml --axis length=
bad plan "$T"/s_ok.toml --axis =3
bad plan "$T"/s_ok.toml --axis length=1,,2
bad plan "$T"/s_ok.toml --axis lenght=3
bad plan "$T"/s_ok.toml --axis length=abc
bad plan "$T"/s_ok.toml --axis length=0
bad plan "$T"/s_ok.toml --axis length=1e400
bad plan "$T"/s_ok.toml --axis mechanism=lavoo
bad plan "$T"/s_ok.toml --axis 'mechanism="lavo'
bad plan "$T"/s_ok.toml --axis device=tpu
bad plan "$T"/s_ok.toml --axis threads=0
bad plan "$T"/s_ok.toml --axis seed=-1
bad plan "$T"/s_ok.toml --axis dtype=float31
bad plan "$T"/s_ok.toml --axis bases=0
bad plan "$T"/s_ok.toml --axis window=1.5
bad plan "$T"/s_ok.toml --set length
bad plan "$T"/s_ok.toml --set corpus=/nonexistent
bad plan "$T"/s_ok.toml --set limits.x=3
bad plan "$T"/s_ok.toml --set limits.cell_timeout=abc
bad plan "$T"/s_ok.toml --set lenght=3
bad plan "$T"/s_ok.toml --device gpu
bad plan "$T"/s_ok.toml --device cuda:
bad plan "$T"/s_ok.toml --device cpu:1
bad plan "$T"/s_ok.toml --device cuda:x
bad plan "$T"/s_ok.toml --threads 0
bad plan "$T"/s_ok.toml --threads x
bad plan "$T"/s_ok.toml --cell-timeout fast
bad plan "$T"/s_ok.toml --cell-timeout -1s
bad plan "$T"/s_ok.toml --cell-timeout 0s
bad plan "$T"/s_ok.toml --cell-timeout nans
bad plan "$T"/s_ok.toml --cell-timeout infs
bad plan "$T"/s_ok.toml -o "$T"/ok.st
bad run "$T"/s_ok.toml
bad run "$T"/s_ok.toml -o "$T"/ok.st
bad run "$T"/s_ok.toml -o "$T"/ok.st/x
bad run "$T"/s_ok.toml -o ''
bad run "$T"/s_ok.toml -o /proc/x
bad run "$T"/s_ok.toml -o "$O".d --isolate wrker
bad run "$T"/s_ok.toml -o "$O".d --retry faild
bad run "$T"/s_ok.toml -o "$O".d --fail-on wron
bad run "$T"/s_ok.toml -o "$O".d --fail-on ''
bad run "$T"/s_ok.toml -o "$O".d --fail-on
bad run "$T"/s_ok.toml -o "$O".d --shard 4/3
bad run "$T"/s_ok.toml -o "$O".d --profile tiny
bad run "$T"/s_ok.toml -o "$O".d --axis length
bad slurm "$T"/s_ok.toml -o x
bad slurm "$T"/s_ok.toml -o x --shards 0
bad plan "$T"/s_ok.toml --axis mechanism=3
bad plan "$T"/e_numerics.toml --axis mechanism=3
bad plan "$T"/e_language_model.toml --axis mechanism=3
bad plan "$T"/s_ok.toml --shard ''
bad plan "$T"/s_ok.toml --cell-timeout ''
bad slurm "$T"/s_ok.toml -o '' --shards 2
bad slurm "$T"/s_ok.toml -o x --shards 2 --shard 1/2
says "--axis mechanism" plan "$T/s_ok.toml" --axis mechanism=lavoo
says "s_val3.toml:4:1" plan "$T/s_val3.toml"
says "--axis device" plan "$T/s_ok.toml" --axis device=tpu
