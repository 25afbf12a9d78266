# SPDX-License-Identifier: MIT
"""What every operator of liblavo_ops.so must do in Python; a new one is a class in a *_test.py."""
import torch
from torch._dynamo.testing import CompileCounterWithBackend
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx


def misaligned(x):
    storage = torch.empty(x.numel() + 1, dtype=x.dtype)
    return storage[1:].view(x.shape).copy_(x)


def by_tokens(layout):
    return lambda x: layout(x) if x.dim() == 4 else x


# The same numbers elsewhere in memory.
LAYOUTS = {
    "heads inside tokens": by_tokens(lambda x: x.transpose(1, 2).contiguous().transpose(1, 2)),
    "channels last": by_tokens(lambda x: x.contiguous(memory_format=torch.channels_last)),
    "columns": lambda x: x.mT.contiguous().mT if x.dim() > 1 else x,
    "part of a wider one": lambda x: torch.cat([x, x], -1)[..., : x.shape[-1]],
    "misaligned": misaligned,
}


def are_differentiable(x):
    return isinstance(x, torch.Tensor) and x.requires_grad


def laid_out(arguments, layout, which):
    """The arguments, those that `which(index)` takes in another layout."""

    def place(index, x):
        if not isinstance(x, torch.Tensor) or not which(index):
            return x
        return layout(x.detach()).requires_grad_(x.requires_grad)

    return [place(index, x) for index, x in enumerate(arguments)]


class OperatorTests:
    """Mixin for unittest.TestCase: `operator`, and `samples`, which are lists of its arguments."""

    operator = None

    def samples(self, dtype):
        """{name: arguments}; floating tensors of `dtype` that require a gradient where one exists."""
        raise NotImplementedError

    def sized(self, tokens):
        """Arguments of so many tokens, float32; `token_axes`: {index: its dimension of tokens}."""
        raise NotImplementedError

    token_axes = {}

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

    def test_layouts(self):
        # Shapes and strides, of gradients too, are what is promised without data; values the same.
        def check(arguments):
            for name, layout in LAYOUTS.items():
                for who, which in (("query", lambda i: i == 0), ("all", lambda i: True)):
                    with self.subTest(layout=name, of=who):
                        placed = laid_out(arguments, layout, which)
                        real = self.results(placed)
                        with FakeTensorMode() as mode:
                            promised = self.results(
                                [
                                    mode.from_tensor(x) if isinstance(x, torch.Tensor) else x
                                    for x in placed
                                ]
                            )
                        for x, y in zip(real, promised):
                            self.assertEqual((x.shape, x.stride()), (y.shape, y.stride()))
                        for x, y in zip(real, self.results(arguments)):
                            self.assertTrue(torch.equal(x, y))

        self.for_each_sample(torch.float32, check)

    def test_layouts_compiled(self):
        for name, layout in LAYOUTS.items():
            with self.subTest(name):
                torch._dynamo.reset()
                arguments = laid_out(self.sized(9), layout, lambda i: i == 0)
                compiled = torch.compile(self.around, fullgraph=True, backend="aot_eager")
                self.compare(compiled, arguments)

    def test_one_graph_for_all_lengths(self):
        torch._dynamo.reset()
        counter = CompileCounterWithBackend("aot_eager")
        compiled = torch.compile(self.around, fullgraph=True, dynamic=True, backend=counter)
        self.compare(compiled, self.sized(9))
        graphs = counter.frame_count  # 2 where it begins again, for operators take floats as they are
        for tokens in (17, 40, 130, 33):
            self.compare(compiled, self.sized(tokens))
        self.assertEqual(counter.frame_count, graphs)

    def test_one_export_for_all_lengths(self):
        class Module(torch.nn.Module):
            def forward(_, *arguments):
                return self.around(*arguments)

        tokens = torch.export.Dim("tokens", min=2, max=4096)
        arguments = self.sized(9)
        shapes = tuple(
            {self.token_axes[i]: tokens} if i in self.token_axes else None
            for i in range(len(arguments))
        )
        program = torch.export.export(Module(), tuple(arguments), dynamic_shapes=(shapes,))
        for length in (9, 40, 130):
            other = self.sized(length)
            torch.testing.assert_close(program.module()(*other), self.around(*other))

    def test_devices(self):
        names = [x.name for x in self.operator.default._schema.arguments]

        def check(arguments):
            for index, x in enumerate(arguments):
                if not isinstance(x, torch.Tensor):
                    continue
                moved = [*arguments]
                moved[index] = x.detach().to("meta")
                first = "key" if index == 0 else names[index]
                device, other = ("cpu", "meta") if index == 0 else ("meta", "cpu")
                text = f"{first} is on {device}, query on {other}: all tensors must be on one"
                for mode in (torch.enable_grad, torch.inference_mode):
                    with mode(), self.assertRaisesRegex(RuntimeError, text):
                        self.operator(*moved)

        self.for_each_sample(torch.float32, check)

    def test_function_transforms(self):
        def check(arguments):
            wanted = [i for i, x in enumerate(arguments) if are_differentiable(x)]

            def total(*leaves):
                given = [*arguments]
                for i, x in zip(wanted, leaves):
                    given[i] = x
                return self.around(*given).sum()

            leaves = [arguments[i].detach() for i in wanted]
            expected = self.results(arguments)[-len(wanted) :]
            gradients = torch.func.grad(total, tuple(range(len(wanted))))
            traced = make_fx(gradients)(*leaves)
            _, vjp = torch.func.vjp(total, *leaves)
            for given in (gradients(*leaves), vjp(torch.tensor(1.0)), traced(*leaves)):
                for x, y in zip(given, expected):
                    torch.testing.assert_close(x, y)
            with self.assertRaisesRegex(RuntimeError, "has no forward-mode derivative"):
                torch.func.jvp(total, tuple(leaves), tuple(leaves))
            with self.assertRaisesRegex(RuntimeError, "has no second derivative"):
                torch.func.grad(lambda *x: gradients(*x)[0].sum())(*leaves)
            once = torch.autograd.grad(
                self.around(*arguments).sum(), [arguments[i] for i in wanted], create_graph=True
            )
            with self.assertRaisesRegex(RuntimeError, "has no second derivative"):
                once[0].sum().backward()

        self.for_each_sample(torch.float32, check)

    def results(self, arguments):
        """What the operator gives, then the gradients of a sum of it."""
        output = self.around(*arguments)
        given = self.operator(*arguments)
        wanted = [x for x in arguments if are_differentiable(x)]
        return [
            *(given if isinstance(given, tuple) else (given,)),
            *torch.autograd.grad(output.sum(), wanted),
        ]

    def around(self, *arguments):
        """The operator between two others, for a compiler to fuse with."""
        return self.operator(arguments[0] * 2, *arguments[1:]).sin()

    def compare(self, compiled, arguments):
        """Output and gradients with those of around()."""
        wanted = [x for x in arguments if are_differentiable(x)]
        results = []
        for function in (compiled, self.around):
            output = function(*arguments)
            results.append([output, *torch.autograd.grad(output.sum(), wanted)])
        for given, expected in zip(*results):
            torch.testing.assert_close(given, expected)
