#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Bad inputs: each must exit with 2 and say so in exactly one line on stderr.
#   tests/stress/bad_inputs.sh build/release/bin/lavo-bench [-v]
# -v prints every line. Exits with 1 when one fails. Takes about two minutes.
binary=$(readlink -f "${1:?usage: bad_inputs.sh BINARY [-v]}"); verbose=$2
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
T=$work/t O=$work/out.safetensors GOODDIR=$work/good GOOD=$work/good/results.json
cd "$work" || exit 1
count=0 failed=0
bad() {
  local rc lines
  timeout 60 "$binary" "$@" >stdout 2>stderr </dev/null; rc=$?
  lines=$(wc -l <stderr); count=$((count + 1))
  if [ $rc -ne 2 ] || [ "$lines" -ne 1 ] || [ ! -s stderr ]; then
    failed=$((failed + 1)); printf 'FAIL rc=%s lines=%s: %q' "$rc" "$lines" "$1"; printf ' %q' "${@:2}"; echo
    head -c 300 stderr
  elif [ "$verbose" = -v ]; then
    printf 'ok  '; printf ' %q' "$@"; echo; cut -c1-200 stderr
  fi
}
# says WORD ARGS: as bad, and the line must contain WORD (the option or place to blame).
says() {
  local word=$1; shift
  bad "$@"
  grep -qF -- "$word" stderr || { failed=$((failed + 1)); echo "FAIL wanted '$word' in: $(head -c 300 stderr)"; }
}
python3 - "$T" <<'PYTHON' || exit 1
import struct,json,os,random
import sys
T=sys.argv[1]+'/'
os.makedirs(T,exist_ok=True)
def st(name, tensors, meta=None, header=None, raw=b''):
    h={};data=b''
    if meta: h['__metadata__']=meta
    for n,(dt,shape,b) in tensors.items():
        h[n]={'dtype':dt,'shape':shape,'data_offsets':[len(data),len(data)+len(b)]}
        data+=b
    if header is not None: h=header(h)
    t=json.dumps(h).encode() if not isinstance(h,bytes) else h
    open(T+name,'wb').write(struct.pack('<Q',len(t))+t+data+raw)
random.seed(1)
def f32(shape,v=None,mean=0.5):
    n=1
    for s in shape:n*=s
    return ('F32',list(shape),struct.pack('<%df'%n,*[(random.gauss(mean,1) if v is None else v) for _ in range(n)]))
def f64(shape):
    n=1
    for s in shape:n*=s
    return ('F64',list(shape),struct.pack('<%dd'%n,*[random.gauss(.5,1) for _ in range(n)]))
def qkv(h=2,t=40,d=8,s=None,e=None,b=1,f=f32):
    s=s or t; e=e or d
    return {'query':f((b,h,t,d)),'key':f((b,h,s,d)),'value':f((b,h,s,e))}
st('ok.st',qkv())
st('ok64.st',qkv(f=f64))
st('cross.st',qkv(s=24))
st('wide.st',qkv(e=12))
q=qkv(); del q['query']; st('noquery.st',q)
q=qkv(); q['query']=f32((2,40,8)); st('q3d.st',q)
q=qkv(); q['value']=f32((1,2,30,8)); st('vlen.st',q)
q=qkv(); q['key']=f32((1,3,40,8)); st('kheads.st',q)
q=qkv(); q['key']=f32((1,2,40,9)); st('kwidth.st',q)
q=qkv(); q['query']=('I64',[1,2,40,8],b'\0'*8*640); st('qint.st',q)
q=qkv(); q['key']=f64((1,2,40,8)); st('mixed.st',q)
q=qkv(); q['query']=f32((1,2,0,8)); st('empty.st',q)
q=qkv(); q['basis']=f32((64,8)); st('basis.st',q)
q=qkv(); q['bases']=f32((64,9)); st('bases_shape.st',q)
q=qkv(); q['bases']=f32((64,8)); st('bases.st',q)
q=qkv(); q['bases']=f32((2,64,8)); st('basesH.st',q)
q=qkv(); q['bases']=('I32',[64,8],b'\0'*4*512); st('bases_int.st',q)
q=qkv(); q['relative_bias']=f32((2,31)); st('relbias.st',q)
q=qkv(); q['relative_bias']=f32((2,30)); st('relbias_shape.st',q)
q=qkv(); q['projection']=f32((16,8)); st('projection.st',q)
q=qkv(); q['projection']=f32((2,16,8)); st('projectionH.st',q)
q=qkv(); q['conv_weight']=f32((2,1,5,1)); st('conv.st',q)
q=qkv(); q['key_mask']=('U8',[1,40],b'\1'*40); st('mask.st',q)
q=qkv(); q['key_mask']=('BOOL',[1,40],b'\1'*30+b'\0'*10); st('maskb.st',q)
q=qkv(); q['key_mask']=('U8',[1,39],b'\1'*39); st('mask_shape.st',q)
q=qkv(); q['key_mask']=f32((1,40),1); st('mask_float.st',q)
q=qkv(); q['key_mask']=('BOOL',[1,40],b'\7'*40); st('mask_seven.st',q)
q=qkv(); q['grad_output']=f32((1,2,40,9)); st('go_shape.st',q)
q=qkv(); q['grad_output']=f32((1,2,40,8)); st('go.st',q)
q=qkv(); q['expected_output']=f32((1,2,40,8)); st('exp_wrong.st',q)
q=qkv(); q['expected_output']=f32((1,2,41,8)); st('exp_shape.st',q)
q=qkv(); q['expected_outptu']=f32((1,2,40,8)); st('exp_name.st',q)
q=qkv(); q['expected_grad_quary']=f32((1,2,40,8)); q['expected_output']=f32((1,2,40,8)); st('exp_grad_name.st',q)
q=qkv(); q['query']=f32((1,2,40,8),float('nan')); st('nan.st',q)
q=qkv(); q['bad\nname']=f32((2,2)); st('newline.st',q)
q=qkv(); q['bad\x1b[31mname']=f32((2,2)); st('escape.st',q)
q=qkv(); q['']=f32((2,2)); st('emptyname.st',q)
# corrupt
ok=open(T+'ok.st','rb').read()
w=lambda n,b:open(T+n,'wb').write(b)
w('c_trunc.st',ok[:-5]); w('c_short.st',ok[:4]); w('c_empty.st',b''); w('c_extra.st',ok+b'xx')
w('c_hlen.st',struct.pack('<Q',2**63)+ok[8:]); w('c_hlen2.st',struct.pack('<Q',2**64-1)+ok[8:])
w('c_notjson.st',struct.pack('<Q',4)+b'abcd'); w('c_array.st',struct.pack('<Q',2)+b'[]'); w('c_text.st',b'hello, this is text, not safetensors\n'*10)
w('c_utf8.st',struct.pack('<Q',12)+b'{"\xff\xfe":{}}  ')
w('c_zero.st',struct.pack('<Q',0)); w('c_braces.st',struct.pack('<Q',2)+b'{}')
w('c_deep.st',struct.pack('<Q',200000)+b'{"a":'+b'['*199995)
def h(name,fn): st(name,qkv(),header=fn)
def ch(t,k,v):
    def f(x): x[t][k]=v; return x
    return f
h('c_overlap.st',ch('key','data_offsets',[0,2560])); h('c_size.st',ch('query','shape',[1,2,40,9]))
h('c_neg.st',ch('query','shape',[1,2,-40,8])); h('c_big.st',ch('query','shape',[2**40,2**40,2**40,8]))
h('c_huge.st',ch('query','shape',[2**62,4]));h('c_float.st',ch('query','shape',[1,2,40.5,8]))
h('c_dt.st',ch('query','dtype','F8_E4M3')); h('c_dtnum.st',ch('query','dtype',3)); h('c_off.st',ch('query','data_offsets',[0]))
h('c_offneg.st',ch('query','data_offsets',[-1,2560])); h('c_offbig.st',ch('query','data_offsets',[0,2**64-1])); h('c_offrev.st',ch('query','data_offsets',[2560,0]))
h('c_offbig2.st',ch('query','data_offsets',[0,2**70])); 
h('c_entry.st',lambda x:{**x,'query':3}); h('c_nodt.st',lambda x:{**x,'query':{'shape':[1]}})
h('c_shapestr.st',ch('query','shape','abc')); h('c_meta.st',lambda x:{**x,'__metadata__':5})
h('c_extra_key.st',lambda x:{**x,'query':{**x['query'],'zzz':1}})
h('c_dup.st',lambda x:json.dumps(x)[:-1].encode()+b', "query": '+json.dumps(x['query']).encode()+b'}')
h('c_zero0.st',lambda x:{**x,'z':{'dtype':'F32','shape':[0,2**63-1,2**40],'data_offsets':[0,0]}})
# sweeps
def s(n,t): open(T+n,'w').write(t)
B='name = "x"\nexperiment = "efficiency"\n'
s('s_ok.toml',B+'[axes]\nmechanism=["lavo"]\nlength=[64]\npass=["forward"]\n')
s('s_syntax.toml',B+'[axes\n'); s('s_axis.toml',B+'[axes]\nlenght=[1]\n'); s('s_exp.toml','experiment="eficiency"\n')
s('s_noexp.toml','name="x"\n'); s('s_emptylist.toml',B+'[axes]\nlength=[]\n'); s('s_scalar.toml',B+'[axes]\nlength=5\n')
s('s_only1.toml',B+'[[only]]\nkeep=["window"]\n'); s('s_only2.toml',B+'[[only]]\nwhen="mechanism == lavo"\nkeep=[]\n')
s('s_only3.toml',B+'[[only]]\nwhen="mechanism = \'lavo\'"\nkeep=["window"]\n'); s('s_only4.toml',B+'[[only]]\nwhen="mechanism == \'lavoo\'"\nkeep=["window"]\n')
s('s_only5.toml',B+'[[only]]\nwhen="mechansm == \'lavo\'"\nkeep=["window"]\n'); s('s_only6.toml',B+'[[only]]\nwhen="mechanism == \'lavo\'"\nkeep=["windw"]\n')
s('s_only7.toml',B+'[only]\nwhen="true"\n'); s('s_only8.toml',B+'[[only]]\nwhen=3\nkeep=["window"]\n'); s('s_only9.toml',B+'[[only]]\nwhen="'+'('*100000+'"\nkeep=["window"]\n')
s('s_only10.toml',B+'[[only]]\nwhen="length < \'abc\'"\nkeep=["window"]\n[axes]\nlength=[64]\n'); s('s_only11.toml',B+'[[only]]\nwhen=""\nkeep=["window"]\n')
s('s_excl.toml',B+'[[exclude]]\nwhen="length >"\n'); s('s_excl2.toml',B+'[[exclude]]\nwen="length > 3"\n')
s('s_excl3.toml',B+'[[exclude]]\nwhen="mechanism < 3"\n[axes]\nmechanism=["lavo"]\nlength=[64]\n')
s('s_excl4.toml',B+'[[exclude]]\nwhen="pass == \'forwrd\'"\n[axes]\nmechanism=["lavo"]\nlength=[64]\n')
s('s_excl5.toml',B+'[[exclude]]\nwhen="length"\n[axes]\nmechanism=["lavo"]\nlength=[64]\n')
s('s_prof.toml',B+'[profile.tiny.axes]\nlength=[1]\n'); s('s_prof2.toml',B+'[profile]\nsmoke=3\n'); s('s_prof3.toml',B+'[profile.smoke]\naxs={}\n')
s('s_prof4.toml',B+'[profile.paper.axes]\nlenght=[5]\n[axes]\nlength=[64]\n')
s('s_prof5.toml',B+'[profile.paper.axes]\nlength=["x"]\n[axes]\nlength=[64]\n')
s('s_both.toml',B+'[fixed]\nlength=3\n[axes]\nlength=[3]\n'); s('s_lim.toml',B+'[limits]\ncell_timout="1s"\n'); s('s_lim2.toml',B+'[limits]\ncell_timeout="fast"\n'); s('s_lim3.toml',B+'[limits]\ncell_timeout=3\n'); s('s_lim4.toml',B+'[limits]\ncall_seconds=-1\n')
s('s_val.toml',B+'[axes]\nlength=[0]\n'); s('s_val2.toml',B+'[axes]\nlength=["a"]\n'); s('s_val3.toml',B+'[axes]\nmechanism=["lavoo"]\n'); s('s_val4.toml',B+'[axes]\nlength=[1.5]\n'); s('s_val5.toml',B+'[axes]\npass=["fwd"]\n')
s('s_val6.toml',B+'[axes]\nlength=[[1]]\n'); s('s_val7.toml',B+'[axes]\nlength=[nan]\n'); s('s_val8.toml',B+'[axes]\nlength=[1979-05-27]\n'); s('s_val9.toml',B+'[axes]\nlength=[64]\nheads=[0]\n')
s('s_root.toml',B+'lenght=[1]\n'); s('s_name.toml','name="../x"\nexperiment="efficiency"\n'); s('s_name2.toml','name=3\nexperiment="efficiency"\n'); s('s_exp2.toml','experiment=3\n')
s('s_many.toml',B+'[axes]\nlength=[%s]\nbatch=[%s]\nheads=[%s]\n'%((','.join(map(str,range(1,200))),)*3)); s('s_dup.toml',B+'name="y"\n'); s('s_empty.toml','')
s('s_fixedlist.toml',B+'[fixed]\nlength=[1,2]\n'); s('s_cells.toml',B+'cells=3\n'); s('s_huge.toml',B+'[axes]\nlength=[9223372036854775807]\nmechanism=["lavo"]\n'); s('s_huge2.toml',B+'[axes]\nlength=[99999999999999999999]\n')
open(T+'s_bin.toml','wb').write(bytes(range(256))); open(T+'s_utf.toml','wb').write(b'name="\xff\xfe"\n'); s('s_deep.toml',B+'a='+'['*100000)
s('s_crlf.toml',B.replace('\n','\r\n')+'[axes]\r\nlength=[64]\r\nmechanism=["lavo"]\r\n')
# results
def j(n,o): open(T+n,'w').write(o if isinstance(o,str) else json.dumps(o))
j('r_nonsense.json','{"a": 1}'); j('r_broken.json','{"schema": "lavo.results/1", '); j('r_schema.json',{"schema":"lavo.results/2","environments":{},"cells":[]}); j('r_array.json','[]'); j('r_num.json','3'); j('r_cells.json',{"schema":"lavo.results/1","environments":{},"cells":3}); j('r_cell.json',{"schema":"lavo.results/1","environments":{},"cells":[{"id":3}]}); j('r_empty.json',''); j('r_deep.json','['*100000); j('r_big.json','{"schema":1e999}'); j('r_null.json',{"schema":"lavo.results/1","environments":None,"cells":[None]}); j('r_ok0.json',{"schema":"lavo.results/1","environments":{},"cells":[]})
for d,c in (('d_nonsense','hello\n'),('d_empty',''),('d_half','{"schema": "lavo.cell/1", "id"'),('d_nonobj','3\n'),('d_wrong','{"schema":"lavo.cell/1","id":3}\n'),('d_wrong2','{"schema":"lavo.cell/9","id":"x"}\n'),('d_wrong3','{"schema":"lavo.cell/1"}\n'),('d_arr','[]\n{}\n')):
    os.makedirs(T+d,exist_ok=True); open(T+d+'/cells.jsonl','w').write(c)
os.makedirs(T+'d_nothing',exist_ok=True)
os.makedirs(T+'d_res',exist_ok=True); j('d_res/results.json','{"schema"')
j('g_bad.toml','[x'); j('g_key.toml','marginn = 3\n'); 
os.makedirs(T+'m_nonsense',exist_ok=True); j('m_nonsense/model.json','{}'); w('m_nonsense/model.safetensors',b'abc')
os.makedirs(T+'m_ok',exist_ok=True); w('m_ok/model.safetensors',ok)
st('d12.st',qkv(d=12))
st('cross2.st',qkv(s=56))
q=qkv(); q['relative_bias']=f32((2,31)); q['bases']=f32((2,64,8)); q['grad_output']=f32((1,2,40,8)); st('all.st',q)
q=qkv(); q['key_mask']=('U8',[1,40],b'\0'*3+b'\1'*30+b'\0'*7)
nan=float('nan')
import struct as S
def pad(name):
    dt,sh,b=q[name]; v=list(S.unpack('<%df'%(len(b)//4),b))
    for h in range(2):
        for t in list(range(3))+list(range(33,40)):
            for d in range(8): v[(h*40+t)*8+d]=nan
    q[name]=(dt,sh,S.pack('<%df'%len(v),*v))
st('padok.st',q)
pad('key');pad('value'); st('padnan.st',q)
q=qkv(); q['gate']=f32((2,)); st('gate.st',q)
q=qkv(); q['key_mask']=('U8',[1,60],b'\1'*60); st('mask_long.st',q)
q=qkv(); q['key_mask']=('U8',[40],b'\1'*40); st('mask_1d.st',q)
q=qkv(); q['key_mask']=('U8',[1,40],b'\1'*40); st('mb1.st',q); q['key_mask']=('BOOL',[1,40],b'\7'*40); st('mb7.st',q)
for e in ('efficiency','numerics','language_model'): s('e_%s.toml'%e,'experiment="%s"\n[axes]\nthreads=[1]\n'%e)
PYTHON
"$binary" run "$T/s_ok.toml" -o "$GOODDIR" --threads 1 --profile smoke >/dev/null || exit 1

bad apply --mechanism lavoo --input "$T"/ok.st --output "$O"
bad apply --mechanism '' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --input "$T"/ok.st
bad apply --mechanism lavo --inptu "$T"/ok.st --output "$O"
bad apply --mechanism lavo --input "$T"/ok.st --output "$O" extra
bad apply --mechanism lavo --options '{"base": 3}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"bases": 1.5}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"bases": 0}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"bases": 65537}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"bases": -1}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"bases": 18446744073709551615}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"bases": 1e30}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"bases": "64"}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"bases": true}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"bases": [1]}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"dissect": 1}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"dissect": false, "position": "relative"}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"position": "realtive"}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"memory": "context"}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"mix": 1.1}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"mix": "lerned"}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"mix": true}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"decay": 0}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"decay": 0.5}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"look_back": 65}' --causal --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"bases_init": "hadamard"}' --input "$T"/d12.st --output "$O"
bad apply --mechanism lavo --options '{"window": 0}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '[]' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options 'null' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '3' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"a
b": 3}' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --options '{"a\nb": 3}' --input "$T"/ok.st --output "$O"
bad apply --mechanism vanilla --options '{"bases": 3}' --input "$T"/ok.st --output "$O"
bad apply --mechanism linear --options '{"epsilon": 0}' --input "$T"/ok.st --output "$O"
bad apply --mechanism performer --options '{"epsilon": -1}' --input "$T"/ok.st --output "$O"
bad apply --mechanism performer --options '{"feature_count": 0}' --input "$T"/ok.st --output "$O"
bad apply --mechanism performer --options '{"redraw_interval": -1}' --input "$T"/ok.st --output "$O"
bad apply --mechanism performer --options '{"stabilizer": "sequence"}' --causal --chunks 4 --input "$T"/ok.st --output "$O"
bad apply --mechanism cosformer --causal --input "$T"/ok.st --output "$O"
bad apply --mechanism cosformer --options '{"max_length": 39}' --causal --input "$T"/ok.st --output "$O"
bad apply --mechanism cosformer --options '{"max_length": 39}' --input "$T"/ok.st --output "$O"
bad apply --mechanism cosformer --options '{"max_length": 2147483648}' --input "$T"/ok.st --output "$O"
bad apply --mechanism nystromformer --options '{"conv_kernel": 4}' --input "$T"/ok.st --output "$O"
bad apply --mechanism nystromformer --options '{"iterations": 65}' --input "$T"/ok.st --output "$O"
bad apply --mechanism nystromformer --causal --input "$T"/ok.st --output "$O"
bad apply --mechanism nystromformer --causal --cross --input "$T"/ok.st --output "$O"
bad apply --mechanism nystromformer --causal --chunks 4 --input "$T"/ok.st --output "$O"
bad apply --mechanism local --input "$T"/cross.st --output "$O"
bad apply --mechanism local --cross --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --input "$T"/wide.st --output "$O"
bad apply --mechanism lavo --input "$T"/noquery.st --output "$O"
bad apply --mechanism lavo --input "$T"/q3d.st --output "$O"
bad apply --mechanism lavo --input "$T"/vlen.st --output "$O"
bad apply --mechanism lavo --input "$T"/kheads.st --output "$O"
bad apply --mechanism lavo --input "$T"/kwidth.st --output "$O"
bad apply --mechanism lavo --input "$T"/qint.st --output "$O"
bad apply --mechanism lavo --input "$T"/mixed.st --output "$O"
bad apply --mechanism lavo --input "$T"/empty.st --output "$O"
bad apply --mechanism lavo --input "$T"/basis.st --output "$O"
bad apply --mechanism lavo --input "$T"/bases_shape.st --output "$O"
bad apply --mechanism lavo --input "$T"/bases_int.st --output "$O"
bad apply --mechanism lavo --options '{"bases": 32}' --input "$T"/bases.st --output "$O"
bad apply --mechanism lavo --options '{"position": "none"}' --input "$T"/relbias.st --output "$O"
bad apply --mechanism lavo --input "$T"/relbias_shape.st --output "$O"
bad apply --mechanism local --options '{"look_back": 1}' --input "$T"/relbias.st --output "$O"
bad apply --mechanism vanilla --input "$T"/bases.st --output "$O"
bad apply --mechanism nystromformer --input "$T"/conv.st --output "$O"
bad apply --mechanism nystromformer --options '{"conv_kernel": 3}' --input "$T"/conv.st --output "$O"
bad apply --mechanism lavo --input "$T"/mask_shape.st --output "$O"
bad apply --mechanism lavo --input "$T"/mask_float.st --output "$O"
bad apply --mechanism lavo --grad --input "$T"/go_shape.st --output "$O"
bad apply --mechanism lavo --check --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --check --input "$T"/exp_shape.st --output "$O"
bad apply --mechanism lavo --check --input "$T"/exp_name.st --output "$O"
bad apply --mechanism lavo --rtol 1 --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --check --rtol -1 --input "$T"/exp_wrong.st --output "$O"
bad apply --mechanism lavo --check --rtol x --input "$T"/exp_wrong.st --output "$O"
bad apply --mechanism lavo --check --rtol inf --input "$T"/exp_wrong.st --output "$O"
bad apply --mechanism lavo --dtype float31 --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --device gpu --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --device cuda --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --device cuda:999 --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --device '' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --chunks 4 --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --causal --chunks 4 --grad --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --causal --chunks 0 --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --causal --chunks 4, --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --causal --chunks a --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --causal --chunks 99999999999999999999 --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --causal --chunks 4 --reference --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --causal --chunks 4 --cross --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --grad --reference --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --seed -1 --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --seed x --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --seed 1.5 --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --input "$T"/missing.st --output "$O"
bad apply --mechanism lavo --input "$T" --output "$O"
bad apply --mechanism lavo --input '' --output "$O"
bad apply --mechanism lavo --input "$T"/ok.st --output "$T"/nodir/x.st
bad apply --mechanism lavo --input "$T"/ok.st --output "$T"
bad apply --mechanism lavo --input "$T"/ok.st --output /dev/full
bad apply --mechanism lavo --input "$T"/ok.st --output /proc/x.st
bad apply --mechanism lavo --input "$T"/ok.st --output "$T"/ok.st/x
bad apply --mechanism lavo --mechanism linear --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --input "$T"/newline.st --output "$O"
bad apply --mechanism lavo --input "$T"/escape.st --output "$O"
bad apply --mechanism lavo --input "$T"/emptyname.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_trunc.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_short.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_empty.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_extra.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_hlen.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_hlen2.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_notjson.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_array.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_text.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_utf8.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_zero.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_braces.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_deep.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_overlap.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_size.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_neg.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_big.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_huge.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_float.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_dt.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_dtnum.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_off.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_offneg.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_offbig.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_offbig2.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_offrev.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_entry.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_nodt.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_shapestr.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_extra_key.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_dup.st --output "$O"
bad apply --mechanism lavo --input "$T"/c_zero0.st --output "$O"
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
bad slurm "$T"/s_ok.toml -o x
bad slurm "$T"/s_ok.toml -o x --shards 0
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

bad apply --mechanism lavo --causal --chunks 4 --input "$T"/cross.st --output "$O"
bad apply --mechanism lavo --causal --chunks 4 --input "$T"/cross2.st --output "$O"
bad apply --mechanism lavo --causal --chunks 7 --input "$T"/vlen.st --output "$O"
bad apply --mechanism lavo --causal --chunks 7 --input "$T"/mask_shape.st --output "$O"
bad apply --mechanism lavo --causal --chunks 7 --input "$T"/mask_long.st --output "$O"
bad apply --mechanism lavo --causal --chunks 7 --input "$T"/mask_1d.st --output "$O"
bad apply --mechanism lavo --causal --input "$T"/mb7.st --output "$O"
bad apply --mechanism lavo --causal --chunks '' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --dtype '' --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --check --rtol nan --input "$T"/exp_wrong.st --output "$O"
bad apply --mechanism lavo --seed 99999999999999999999 --input "$T"/ok.st --output "$O"
bad apply --mechanism lavo --input "$T"/ok.st --output ''
bad plan "$T"/s_ok.toml --axis mechanism=3
bad plan "$T"/e_numerics.toml --axis mechanism=3
bad plan "$T"/e_language_model.toml --axis mechanism=3
bad plan "$T"/s_ok.toml --shard ''
bad plan "$T"/s_ok.toml --cell-timeout ''
bad slurm "$T"/s_ok.toml -o '' --shards 2
bad slurm "$T"/s_ok.toml -o x --shards 2 --shard 1/2
bad noise --seconds nan
says "--axis mechanism" plan "$T/s_ok.toml" --axis mechanism=lavoo
says "s_val3.toml:4:1" plan "$T/s_val3.toml"
says "--axis device" plan "$T/s_ok.toml" --axis device=tpu
says "unknown option 'a\\nb'" apply --mechanism lavo --options '{"a\nb": 3}' --input "$T/ok.st" --output "$O"
says "\\x1b" apply --mechanism lavo --input "$T/escape.st" --output "$O"

echo "$count bad inputs, $failed failures"
[ $failed -eq 0 ]
