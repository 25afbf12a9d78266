# SPDX-License-Identifier: MIT
"""Other people's attention behind one shape, with our name for the same formula."""
from dataclasses import dataclass, field
from importlib import metadata

import torch

HEADS, WIDTH = 4, 64
WINDOW, LANDMARKS, FEATURES = 16, 64, 266


@dataclass
class Peer:
    """A callable of another project, and what lavo-bench calls the same function.

    `prepare` turns q, k, v [1, heads, length, width] into the leaves that the project's own users
    would pass (its layout, contiguous); `attend` takes them and is what is timed; `shape` brings its
    output, or the gradient of a leaf, back to [1, heads, length, width] (a list for several).
    """

    name: str
    package: str
    mechanism: str
    attend: object
    options: dict = field(default_factory=dict)  # with which lavo-bench computes the same
    tensors: dict = field(default_factory=dict)  # parameters that both use
    axes: dict = field(default_factory=dict)  # for the record
    causal: bool = True
    prepare: object = staticmethod(lambda q, k, v: [q, k, v])
    shape: object = staticmethod(lambda x: x)

    @property
    def version(self):
        return metadata.version(self.package)


def torch_attention():
    def attend(q, k, v):
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)

    return Peer("torch-attention", "torch", "vanilla", attend)


def fast_transformers():
    from fast_transformers.attention.causal_linear_attention import CausalLinearAttention
    from fast_transformers.masking import LengthMask, TriangularCausalMask

    attention = CausalLinearAttention(WIDTH, eps=1e-6)

    def attend(q, k, v):
        length = q.size(1)
        whole = LengthMask(torch.tensor([length]), max_len=length)
        return attention(q, k, v, TriangularCausalMask(length), whole, whole)

    def by_token(x):  # [1, heads, length, width] <-> [1, length, heads, width]
        return x.transpose(1, 2).contiguous()

    return Peer(
        "fast-transformers",
        "pytorch-fast-transformers",
        "linear",
        attend,
        options={"epsilon": 1e-6},
        prepare=lambda *qkv: [by_token(x) for x in qkv],
        shape=by_token,
    )


def performer_pytorch():
    from performer_pytorch import FastAttention

    attention = FastAttention(WIDTH, nb_features=FEATURES, causal=True)
    return Peer(
        "performer-pytorch",
        "performer-pytorch",
        "performer",
        attention,
        options={"feature_count": FEATURES, "stabilizer": "sequence", "key_sum_epsilon": 1e-6},
        tensors={"projection": attention.projection_matrix},
        axes={"feature_count": FEATURES},
    )


def local_attention():
    from local_attention import LocalAttention

    attention = LocalAttention(
        WINDOW, causal=True, look_backward=0, look_forward=0, use_rotary_pos_emb=False
    )
    return Peer(
        "local-attention",
        "local-attention",
        "local",
        attention,
        options={"window": WINDOW, "position": "none"},
        axes={"window": WINDOW},
    )


def nystrom_attention():
    from nystrom_attention import NystromAttention

    attention = NystromAttention(
        HEADS * WIDTH, WIDTH, HEADS, num_landmarks=LANDMARKS, residual=False
    )
    # Attention alone: what it projects is not part of any other row.
    attention.to_qkv = attention.to_out = torch.nn.Identity()

    def side_by_side(q, k, v):
        tokens = [x.transpose(1, 2).reshape(1, x.size(2), HEADS * WIDTH) for x in (q, k, v)]
        return [torch.cat(tokens, dim=-1)]

    def by_head(x):
        parts = x.reshape(1, x.size(1), -1, HEADS, WIDTH).permute(2, 0, 3, 1, 4)
        return [part.contiguous() for part in parts] if len(parts) > 1 else parts[0].contiguous()

    return Peer(
        "nystrom-attention",
        "nystrom-attention",
        "nystromformer",
        attention,
        options={"landmarks": LANDMARKS, "pinv_init": "original"},
        axes={"landmarks": LANDMARKS},
        causal=False,
        prepare=side_by_side,
        shape=by_head,
    )


MAKERS = {
    "torch-attention": torch_attention,
    "fast-transformers": fast_transformers,
    "performer-pytorch": performer_pytorch,
    "local-attention": local_attention,
    "nystrom-attention": nystrom_attention,
}
