# SPDX-License-Identifier: MIT
import unittest

import torch

from operator_tests import OperatorTests

B, H, M, E = 2, 2, 6, 3


class AttendFeatures(OperatorTests, unittest.TestCase):
    operator = torch.ops.lavo.attend_features
    token_axes = {0: 2, 1: 2, 2: 2, 4: 2}

    def sized(self, tokens):
        return self.samples(torch.float32, tokens)["levels"]

    def samples(self, dtype, length=35):
        torch.manual_seed(0)
        compute = torch.float64 if dtype == torch.float64 else torch.float32

        def draw(*shape, type=compute):
            return torch.rand(shape, dtype=compute).to(type).requires_grad_()

        def call(
            tokens, levels=False, key_mask=None, epsilon=0.0, feature_epsilon=0.0, smallest=0.0
        ):
            level = torch.rand(B, H, tokens + 1, dtype=compute).cumsum(2)
            return [
                draw(B, H, tokens, M),
                draw(B, H, tokens, M),
                draw(B, H, tokens, E, type=dtype),
                key_mask,
                level[..., 1:].contiguous() if levels else None,
                draw(B, H, E + 1, M, type=torch.float64),
                level[..., 0].contiguous() if levels else None,
                epsilon,
                feature_epsilon,
                smallest,
            ]

        mask = torch.ones(B, 10, dtype=torch.bool)
        mask[0, 6:] = False
        return {
            "epsilon": call(9, epsilon=1e-6),
            "levels": call(length, levels=True),
            "levels, features' epsilon": call(8, levels=True, feature_epsilon=0.1),
            "smallest, hidden keys": call(10, key_mask=mask, smallest=1e-6),
        }

    def around(self, *arguments):
        output, sums = self.operator(arguments[0] * 2, *arguments[1:])
        return output.sin() + sums.sum()

    def test_numbers_out_of_range(self):
        names = [x.name for x in self.operator.default._schema.arguments]
        for name in ("epsilon", "feature_epsilon", "smallest"):
            for number in (float("nan"), float("inf"), -1.0):
                wrong = self.sized(9)
                wrong[names.index(name)] = number
                with self.assertRaisesRegex(RuntimeError, f"{name} must be >= 0 and finite"):
                    self.operator(*wrong)


if __name__ == "__main__":
    unittest.main()
