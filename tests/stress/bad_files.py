# SPDX-License-Identifier: MIT
"""Writes the files that bad_inputs.sh feeds to lavo-bench: bad_files.py FOLDER."""
import json
import os
import random
import struct
import sys

T = sys.argv[1] + '/'
os.makedirs(T, exist_ok=True)

# ---- tensors: good ones, and wrong in one thing ----

def st(name, tensors, meta=None, header=None, raw=b''):
    h = {}
    data = b''
    if meta:
        h['__metadata__'] = meta
    for n, (dt, shape, b) in tensors.items():
        h[n] = {'dtype': dt, 'shape': shape, 'data_offsets': [len(data), len(data) + len(b)]}
        data += b
    if header is not None:
        h = header(h)
    t = json.dumps(h).encode() if not isinstance(h, bytes) else h
    open(T + name, 'wb').write(struct.pack('<Q', len(t)) + t + data + raw)

random.seed(1)

def f32(shape, v=None, mean=0.5):
    n = 1
    for s in shape:
        n *= s
    return ('F32', list(shape), struct.pack('<%df' % n, *[random.gauss(mean, 1) if v is None else v for _ in range(n)]))

def f64(shape):
    n = 1
    for s in shape:
        n *= s
    return ('F64', list(shape), struct.pack('<%dd' % n, *[random.gauss(0.5, 1) for _ in range(n)]))

def qkv(h=2, t=40, d=8, s=None, e=None, b=1, f=f32):
    s = s or t
    e = e or d
    return {'query': f((b, h, t, d)), 'key': f((b, h, s, d)), 'value': f((b, h, s, e))}

def changed(name, tensors):
    st(name, {**qkv(), **tensors})

st('ok.st', qkv())
st('cross.st', qkv(s=24))
st('wide.st', qkv(e=12))
q = qkv()
del q['query']
st('noquery.st', q)
changed('q3d.st', {'query': f32((2, 40, 8))})
changed('vlen.st', {'value': f32((1, 2, 30, 8))})
changed('kheads.st', {'key': f32((1, 3, 40, 8))})
changed('kwidth.st', {'key': f32((1, 2, 40, 9))})
changed('qint.st', {'query': ('I64', [1, 2, 40, 8], b'\x00' * 8 * 640)})
changed('mixed.st', {'key': f64((1, 2, 40, 8))})
changed('empty.st', {'query': f32((1, 2, 0, 8))})
changed('basis.st', {'basis': f32((64, 8))})
changed('bases_shape.st', {'bases': f32((64, 9))})
changed('bases.st', {'bases': f32((64, 8))})
changed('bases_int.st', {'bases': ('I32', [64, 8], b'\x00' * 4 * 512)})
changed('relbias.st', {'relative_bias': f32((2, 31))})
changed('relbias_shape.st', {'relative_bias': f32((2, 30))})
changed('conv.st', {'conv_weight': f32((2, 1, 5, 1))})
changed('mask_shape.st', {'key_mask': ('U8', [1, 39], b'\x01' * 39)})
changed('mask_float.st', {'key_mask': f32((1, 40), 1)})
changed('go_shape.st', {'grad_output': f32((1, 2, 40, 9))})
changed('exp_wrong.st', {'expected_output': f32((1, 2, 40, 8))})
changed('exp_shape.st', {'expected_output': f32((1, 2, 41, 8))})
changed('exp_name.st', {'expected_outptu': f32((1, 2, 40, 8))})
changed('exp_grad_name.st', {'expected_grad_quary': f32((1, 2, 40, 8)), 'expected_output': f32((1, 2, 40, 8))})
changed('newline.st', {'bad\nname': f32((2, 2))})
changed('escape.st', {'bad\x1b[31mname': f32((2, 2))})
changed('emptyname.st', {'': f32((2, 2))})
# ---- corrupt safetensors ----

ok = open(T + 'ok.st', 'rb').read()
w = lambda n, b: open(T + n, 'wb').write(b)
w('c_trunc.st', ok[:-5])
w('c_short.st', ok[:4])
w('c_empty.st', b'')
w('c_extra.st', ok + b'xx')
w('c_hlen.st', struct.pack('<Q', 2 ** 63) + ok[8:])
w('c_hlen2.st', struct.pack('<Q', 2 ** 64 - 1) + ok[8:])
w('c_notjson.st', struct.pack('<Q', 4) + b'abcd')
w('c_array.st', struct.pack('<Q', 2) + b'[]')
w('c_text.st', b'hello, this is text, not safetensors\n' * 10)
w('c_utf8.st', struct.pack('<Q', 12) + b'{"\xff\xfe":{}}  ')
w('c_zero.st', struct.pack('<Q', 0))
w('c_braces.st', struct.pack('<Q', 2) + b'{}')
w('c_deep.st', struct.pack('<Q', 200000) + b'{"a":' + b'[' * 199995)

def h(name, fn):
    st(name, qkv(), header=fn)

def ch(t, k, v):

    def f(x):
        x[t][k] = v
        return x
    return f
h('c_overlap.st', ch('key', 'data_offsets', [0, 2560]))
h('c_size.st', ch('query', 'shape', [1, 2, 40, 9]))
h('c_neg.st', ch('query', 'shape', [1, 2, -40, 8]))
h('c_big.st', ch('query', 'shape', [2 ** 40, 2 ** 40, 2 ** 40, 8]))
h('c_huge.st', ch('query', 'shape', [2 ** 62, 4]))
h('c_float.st', ch('query', 'shape', [1, 2, 40.5, 8]))
h('c_dt.st', ch('query', 'dtype', 'F8_E4M3'))
h('c_dtnum.st', ch('query', 'dtype', 3))
h('c_off.st', ch('query', 'data_offsets', [0]))
h('c_offneg.st', ch('query', 'data_offsets', [-1, 2560]))
h('c_offbig.st', ch('query', 'data_offsets', [0, 2 ** 64 - 1]))
h('c_offrev.st', ch('query', 'data_offsets', [2560, 0]))
h('c_offbig2.st', ch('query', 'data_offsets', [0, 2 ** 70]))
h('c_entry.st', lambda x: {**x, 'query': 3})
h('c_nodt.st', lambda x: {**x, 'query': {'shape': [1]}})
h('c_shapestr.st', ch('query', 'shape', 'abc'))
h('c_extra_key.st', lambda x: {**x, 'query': {**x['query'], 'zzz': 1}})
h('c_dup.st', lambda x: json.dumps(x)[:-1].encode() + b', "query": ' + json.dumps(x['query']).encode() + b'}')
h('c_zero0.st', lambda x: {**x, 'z': {'dtype': 'F32', 'shape': [0, 2 ** 63 - 1, 2 ** 40], 'data_offsets': [0, 0]}})

# ---- sweeps ----

def s(n, t):
    open(T + n, 'w').write(t)
B = 'name = "x"\nexperiment = "efficiency"\n'
s('s_ok.toml', B + '[axes]\nmechanism=["lavo"]\nlength=[64]\npass=["forward"]\n')
s('s_syntax.toml', B + '[axes\n')
s('s_axis.toml', B + '[axes]\nlenght=[1]\n')
s('s_exp.toml', 'experiment="eficiency"\n')
s('s_noexp.toml', 'name="x"\n')
s('s_emptylist.toml', B + '[axes]\nlength=[]\n')
s('s_scalar.toml', B + '[axes]\nlength=5\n')
s('s_only1.toml', B + '[[only]]\nkeep=["window"]\n')
s('s_only2.toml', B + '[[only]]\nwhen="mechanism == lavo"\nkeep=[]\n')
s('s_only3.toml', B + '[[only]]\nwhen="mechanism = \'lavo\'"\nkeep=["window"]\n')
s('s_only4.toml', B + '[[only]]\nwhen="mechanism == \'lavoo\'"\nkeep=["window"]\n')
s('s_only5.toml', B + '[[only]]\nwhen="mechansm == \'lavo\'"\nkeep=["window"]\n')
s('s_only6.toml', B + '[[only]]\nwhen="mechanism == \'lavo\'"\nkeep=["windw"]\n')
s('s_only7.toml', B + '[only]\nwhen="true"\n')
s('s_only8.toml', B + '[[only]]\nwhen=3\nkeep=["window"]\n')
s('s_only9.toml', B + '[[only]]\nwhen="' + '(' * 100000 + '"\nkeep=["window"]\n')
s('s_only10.toml', B + '[[only]]\nwhen="length < \'abc\'"\nkeep=["window"]\n[axes]\nlength=[64]\n')
s('s_only11.toml', B + '[[only]]\nwhen=""\nkeep=["window"]\n')
s('s_excl.toml', B + '[[exclude]]\nwhen="length >"\n')
s('s_excl2.toml', B + '[[exclude]]\nwen="length > 3"\n')
s('s_prof.toml', B + '[profile.tiny.axes]\nlength=[1]\n')
s('s_prof2.toml', B + '[profile]\nsmoke=3\n')
s('s_prof3.toml', B + '[profile.smoke]\naxs={}\n')
s('s_prof4.toml', B + '[profile.paper.axes]\nlenght=[5]\n[axes]\nlength=[64]\n')
s('s_prof5.toml', B + '[profile.paper.axes]\nlength=["x"]\n[axes]\nlength=[64]\n')
s('s_both.toml', B + '[fixed]\nlength=3\n[axes]\nlength=[3]\n')
s('s_lim.toml', B + '[limits]\ncell_timout="1s"\n')
s('s_lim2.toml', B + '[limits]\ncell_timeout="fast"\n')
s('s_lim3.toml', B + '[limits]\ncell_timeout=3\n')
s('s_lim4.toml', B + '[limits]\ncall_seconds=-1\n')
s('s_val.toml', B + '[axes]\nlength=[0]\n')
s('s_val2.toml', B + '[axes]\nlength=["a"]\n')
s('s_val3.toml', B + '[axes]\nmechanism=["lavoo"]\n')
s('s_val4.toml', B + '[axes]\nlength=[1.5]\n')
s('s_val5.toml', B + '[axes]\npass=["fwd"]\n')
s('s_val6.toml', B + '[axes]\nlength=[[1]]\n')
s('s_val7.toml', B + '[axes]\nlength=[nan]\n')
s('s_val8.toml', B + '[axes]\nlength=[1979-05-27]\n')
s('s_val9.toml', B + '[axes]\nlength=[64]\nheads=[0]\n')
s('s_root.toml', B + 'lenght=[1]\n')
s('s_name.toml', 'name="../x"\nexperiment="efficiency"\n')
s('s_name2.toml', 'name=3\nexperiment="efficiency"\n')
s('s_exp2.toml', 'experiment=3\n')
s('s_many.toml', B + '[axes]\nlength=[%s]\nbatch=[%s]\nheads=[%s]\n' % ((','.join(map(str, range(1, 200))),) * 3))
s('s_dup.toml', B + 'name="y"\n')
s('s_empty.toml', '')
s('s_fixedlist.toml', B + '[fixed]\nlength=[1,2]\n')
s('s_cells.toml', B + 'cells=3\n')
s('s_huge.toml', B + '[axes]\nlength=[9223372036854775807]\nmechanism=["lavo"]\n')
s('s_huge2.toml', B + '[axes]\nlength=[99999999999999999999]\n')
open(T + 's_bin.toml', 'wb').write(bytes(range(256)))
open(T + 's_utf.toml', 'wb').write(b'name="\xff\xfe"\n')
s('s_deep.toml', B + 'a=' + '[' * 100000)

# ---- results, policies, models ----

def j(n, o):
    open(T + n, 'w').write(o if isinstance(o, str) else json.dumps(o))
j('r_nonsense.json', '{"a": 1}')
j('r_broken.json', '{"schema": "lavo.results/1", ')
j('r_schema.json', {'schema': 'lavo.results/2', 'environments': {}, 'cells': []})
j('r_array.json', '[]')
j('r_num.json', '3')
j('r_cells.json', {'schema': 'lavo.results/1', 'environments': {}, 'cells': 3})
j('r_cell.json', {'schema': 'lavo.results/1', 'environments': {}, 'cells': [{'id': 3}]})
j('r_empty.json', '')
j('r_deep.json', '[' * 100000)
j('r_big.json', '{"schema":1e999}')
j('r_null.json', {'schema': 'lavo.results/1', 'environments': None, 'cells': [None]})
WHOLE = '{"schema": "lavo.results/1", "environments": {}, "cells": []}'
j('r_twice.json', WHOLE.replace('{"schema"', '{"schema": "lavo.results/1", "schema"'))
j('r_tail.json', WHOLE + ' x')
j('r_nul.json', WHOLE + '\0')
j('r_ok0.json', {'schema': 'lavo.results/1', 'environments': {}, 'cells': []})
for d, c in (('d_nonsense', 'hello\n'), ('d_empty', ''), ('d_half', '{"schema": "lavo.cell/1", "id"'), ('d_nonobj', '3\n'), ('d_wrong', '{"schema":"lavo.cell/1","id":3}\n'), ('d_wrong2', '{"schema":"lavo.cell/9","id":"x"}\n'), ('d_wrong3', '{"schema":"lavo.cell/1"}\n'), ('d_arr', '[]\n{}\n'),
             ('d_twice', '{"schema":"lavo.cell/1","id":"x","id":"x"}\n'), ('d_tail', '{"schema":"lavo.cell/1"}{}\n')):
    os.makedirs(T + d, exist_ok=True)
    open(T + d + '/cells.jsonl', 'w').write(c)
os.makedirs(T + 'd_nothing', exist_ok=True)
os.makedirs(T + 'd_res', exist_ok=True)
j('d_res/results.json', '{"schema"')
j('g_bad.toml', '[x')
j('g_key.toml', 'marginn = 3\n')
os.makedirs(T + 'm_nonsense', exist_ok=True)
j('m_nonsense/model.json', '{}')
w('m_nonsense/model.safetensors', b'abc')
os.makedirs(T + 'm_ok', exist_ok=True)
w('m_ok/model.safetensors', ok)
st('d12.st', qkv(d=12))
st('nul_header.st', qkv(), header=lambda h: json.dumps(h).encode() + b'\0' * 8)
st('dtype_twice.st', qkv(), header=lambda h: json.dumps(h).replace('{"dtype"', '{"dtype": "F32", "dtype"', 1).encode())
st('cross2.st', qkv(s=56))
changed('mask_long.st', {'key_mask': ('U8', [1, 60], b'\x01' * 60)})
changed('mask_1d.st', {'key_mask': ('U8', [40], b'\x01' * 40)})
changed('mb7.st', {'key_mask': ('BOOL', [1, 40], b'\x07' * 40)})
for e in ('efficiency', 'numerics', 'language_model'):
    s('e_%s.toml' % e, 'experiment="%s"\n[axes]\nthreads=[1]\n' % e)
