# SPDX-License-Identifier: MIT
import unittest

import torch

from operator_tests import OperatorTests

B, H, R, D, W = 2, 2, 5, 8, 4


class Attend(OperatorTests, unittest.TestCase):
    operator = torch.ops.lavo.attend

    def samples(self, dtype):
        torch.manual_seed(0)
        compute = torch.float64 if dtype == torch.float64 else torch.float32

        def draw(*shape, type=dtype):
            # With a mean: without one LAVO's softmax over the rows is uniform to four digits.
            return (torch.randn(shape, dtype=compute) * 0.7 + 0.5).to(type).requires_grad_()

        def call(tokens, memory, causal=True, look_back=0, bias=True, key_mask=None, decay=None):
            has_memory = memory != "none"
            bases = [draw(H, R, D, type=compute) for _ in range(2)] if has_memory else [None] * 2
            return [
                *(draw(B, H, tokens, D) for _ in range(3)),
                draw(2, H, type=compute),
                *bases,
                draw(B, tokens, R, type=compute) if memory == "projected" else None,
                draw(H, (look_back + 2) * W - 1, type=compute) if bias else None,
                key_mask,
                decay,
                memory,
                W,
                look_back,
                causal,
                False,
            ]

        mask = torch.ones(B, 10, dtype=torch.bool)
        mask[0, 6:] = False
        return {
            "shared": call(9, "shared"),
            "key_value": call(10, "key_value"),
            "projected, look back": call(11, "projected", look_back=1),
            "no memory, no bias": call(6, "none", bias=False),
            "not causal": call(9, "key_value", causal=False),
            "hidden keys": call(10, "shared", key_mask=mask),
            "decay": call(7, "shared", decay=torch.linspace(0.5, 0.9, R, dtype=compute)),
        }


if __name__ == "__main__":
    unittest.main()
