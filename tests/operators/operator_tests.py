# SPDX-License-Identifier: MIT
"""What every operator of liblavo_ops.so must do in Python; a new one is a class in a *_test.py."""
import torch


class OperatorTests:
    """Mixin for unittest.TestCase: `operator`, and `samples`, which are lists of its arguments."""

    operator = None

    def samples(self, dtype):
        """{name: arguments}; floating tensors of `dtype` that require a gradient where one exists."""
        raise NotImplementedError

    def for_each_sample(self, dtype, check):
        for name, arguments in self.samples(dtype).items():
            with self.subTest(name):
                torch._dynamo.reset()
                check(arguments)

    def test_opcheck(self):
        # Schema (nothing is changed or aliased), registration of autograd, shapes and strides
        # without data, and both together under AOT with dynamic shapes.
        for dtype in (torch.float32, torch.bfloat16):
            self.for_each_sample(
                dtype, lambda arguments: torch.library.opcheck(self.operator.default, arguments)
            )

    def test_gradients(self):
        self.for_each_sample(
            torch.float64,
            lambda arguments: self.assertTrue(torch.autograd.gradcheck(self.operator, arguments)),
        )

    def test_traced(self):
        for dynamic in (False, True):
            compiled = torch.compile(
                self.around, fullgraph=True, dynamic=dynamic, backend="aot_eager"
            )
            self.for_each_sample(torch.float32, lambda arguments: self.compare(compiled, arguments))

    def test_compiled(self):  # one sample, for it calls a C++ compiler
        compiled = torch.compile(self.around, fullgraph=True, backend="inductor")
        self.compare(compiled, next(iter(self.samples(torch.float32).values())))

    def test_exported(self):
        class Module(torch.nn.Module):
            def forward(_, *arguments):
                return self.around(*arguments)

        def check(arguments):
            program = torch.export.export(Module(), tuple(arguments))
            targets = [node.target for node in program.graph.nodes]
            self.assertIn(self.operator.default, targets)  # one node, not taken apart
            with torch.no_grad():
                given, expected = program.module()(*arguments), self.around(*arguments)
            torch.testing.assert_close(given, expected)

        self.for_each_sample(torch.float32, check)

    def around(self, *arguments):
        """The operator between two others, for a compiler to fuse with."""
        return self.operator(arguments[0] * 2, *arguments[1:]).sin()

    def compare(self, compiled, arguments):
        """Output and gradients with those of around()."""
        wanted = [x for x in arguments if isinstance(x, torch.Tensor) and x.requires_grad]
        results = []
        for function in (compiled, self.around):
            output = function(*arguments)
            results.append([output, *torch.autograd.grad(output.sum(), wanted)])
        for given, expected in zip(*results):
            torch.testing.assert_close(given, expected)
