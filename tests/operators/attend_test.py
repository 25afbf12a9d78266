# SPDX-License-Identifier: MIT
import unittest

import torch

from operator_tests import OperatorTests

B, H, R, D, W = 2, 2, 5, 8, 4


class Attend(OperatorTests, unittest.TestCase):
    operator = torch.ops.lavo.attend
    token_axes = {0: 2, 1: 2, 2: 2}

    def sized(self, tokens):
        return self.samples(torch.float32, tokens)["look back"]

    def samples(self, dtype, length=7):
        torch.manual_seed(0)
        compute = torch.float64 if dtype == torch.float64 else torch.float32

        def draw(*shape, type=dtype):
            # With a mean: without one LAVO's softmax over the rows is uniform to four digits.
            return (torch.randn(shape, dtype=compute) * 0.7 + 0.5).to(type).requires_grad_()

        def call(
            tokens, memory, causal=True, look_back=0, bias=True, key_mask=None, decay=None, H=H
        ):
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
        one_bases = call(9, "key_value")
        one_bases[5] = None
        return {
            "shared": call(9, "shared"),
            "key_value": call(10, "key_value"),
            "projected, look back": call(11, "projected", look_back=1),
            "no memory, no bias": call(6, "none", bias=False),
            "one head": call(9, "shared", H=1),
            "one token": call(1, "key_value"),
            "not causal": call(9, "key_value", causal=False),
            "hidden keys": call(10, "shared", key_mask=mask),
            "one bases": one_bases,
            "look back": call(length, "shared", look_back=1),
            "decay": call(7, "shared", decay=torch.linspace(0.5, 0.9, R, dtype=compute)),
        }

    def test_numbers_out_of_range(self):
        names = [x.name for x in self.operator.default._schema.arguments]
        arguments = self.samples(torch.float32)["decay"]
        for name in ("window", "look_back"):
            for number in (-1, 2**31, 2**61, 2**62):
                wrong = [*arguments]
                wrong[names.index(name)] = number
                with self.assertRaisesRegex(RuntimeError, f"{name} must be at least 0 .* {number}"):
                    self.operator(*wrong)
        for decay in (float("nan"), float("inf"), 2.0, -0.5):
            wrong = [*arguments]
            wrong[names.index("decay")] = torch.full((R,), decay)
            with self.assertRaisesRegex(RuntimeError, f"every decay must be > 0 and <= 1, got {decay:g}"):
                self.operator(*wrong)


if __name__ == "__main__":
    unittest.main()
