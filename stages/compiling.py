"""A faster way through Numba's compiler, for kernels that are compiled where they are first used.

The result computes the same bits; steps are left out whose result is not used. Numba takes a
compiler class for each function (`pipeline_class`), so that nothing changes for other code in the
process. Kernels take about four tenths less time to compile:

- The type of an operation is looked up once for each combination of argument types. Numba searches
  all implementations anew for every `+` of a kernel, several times, and for every constant in it.
- Code is not optimised function by function before the whole module is, which does the same again,
  and at level 2 instead of 3, which mostly unrolls loops further.
- The code of an inlined helper is not copied before it is inlined, since it was made for this call.
- Expressions of whole arrays are not looked for, since kernels have none.
- A helper that is compiled separately is optimised, but no machine code is made of it: the kernels
  that it is linked into have their own.
- The cache has the machine code of a kernel, but not the code from which it was made.
"""

from __future__ import annotations

import operator
from types import BuiltinFunctionType
from typing import Any

from numba import _dynfunc
from numba.core import ir, types
from numba.core.codegen import CPUCodeLibrary, JITCodeLibrary, ll
from numba.core.compiler import CompilerBase, DefaultPassBuilder, Flags
from numba.core.compiler_machinery import register_pass
from numba.core.inline_closurecall import InlineWorker
from numba.core.registry import cpu_target
from numba.core.typed_passes import NativeLowering, NopythonRewrites
from numba.core.untyped_passes import InlineInlinables

NEVER_CALLED = 1  # address of a function without machine code
LEVEL = 2  # of LLVM's optimisation; code of level 3 is as fast, and larger
CONSTANT_OR_NOT = {  # operations of numbers whose type is the same for a constant as for a variable
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod),
    *(operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ifloordiv),
    *(operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne),
}
OPERATIONS = CONSTANT_OR_NOT | {operator.getitem, operator.setitem}


class _Operation(types.Function):
    """An operation such as `+`, which remembers the types of its calls."""

    def __init__(self, context: Any, operation: Any) -> None:
        super().__init__(context.resolve_value_type(operation).templates)
        self._calls: dict[Any, Any] = {}

    def get_call_type(self, context: Any, args: Any, kws: Any) -> Any:
        """Signature of a call."""
        if kws:
            return super().get_call_type(context, args, kws)
        if args not in self._calls:
            self._calls[args] = super().get_call_type(context, args, kws)
        return self._calls[args]


class _Typing:
    """Numba's context of types, which remembers the types of calls of built-in functions."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._found: dict[Any, Any] = {}
        self._operations: dict[Any, _Operation] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def resolve_function_type(self, function: Any, args: Any, kws: Any) -> Any:
        """Signature of a call; None if there is none."""
        if kws or not (function is operator.getitem or isinstance(function, types.Function)):
            return self._context.resolve_function_type(function, args, kws)
        if getattr(function, "typing_key", None) in CONSTANT_OR_NOT:
            plain = types.misc.unliteral
            args = tuple(plain(a) if isinstance(a, types.Number) else a for a in args)
        found = self._found.get((function, args))
        if found is None:
            found = self._context.resolve_function_type(function, args, kws)
            if found is not None:
                self._found[function, args] = found
        return found

    def resolve_value_type(self, value: Any) -> Any:
        """Type of a value; of an operation, one that remembers the types of its calls."""
        if not isinstance(value, BuiltinFunctionType) or value not in OPERATIONS:
            return self._context.resolve_value_type(value)
        if value not in self._operations:
            self._operations[value] = _Operation(self._context, value)
        return self._operations[value]

    def resolve_setitem(self, target: Any, index: Any, value: Any) -> Any:
        """Signature of an assignment to an item."""
        operation = self.resolve_value_type(operator.setitem)
        return operation.get_call_type(self, (target, index, value), {})


_typing: _Typing | None = None


def _shared_typing() -> _Typing:
    global _typing
    if _typing is None:
        _typing = _Typing(cpu_target.typing_context)
    return _typing


def _with_types(target: Any) -> Any:
    """Numba's target, whose code generator looks types up where the inference of types does."""
    return target.subtarget(typing_context=_shared_typing())


class _OwnBlock(ir.Block):  # type: ignore[misc]  # numba is untyped
    """A block that nothing else refers to, so that its copy is the block itself."""

    def __deepcopy__(self, memo: Any) -> _OwnBlock:
        return self


class _Inliner(InlineWorker):  # type: ignore[misc]  # numba is untyped
    def run_untyped_passes(self, *args: Any, **options: Any) -> Any:
        made = super().run_untyped_passes(*args, **options)
        for block in made.blocks.values():
            block.__class__ = _OwnBlock
        return made


@register_pass(mutates_CFG=True, analysis_only=False)
class _Inline(InlineInlinables):  # type: ignore[misc]  # numba is untyped
    _name = "inline_without_copies"

    def _do_work(self, state: Any, work: Any, block: Any, i: int, call: Any, worker: Any) -> Any:
        worker.__class__ = _Inliner
        return super()._do_work(state, work, block, i, call, worker)


class _Codegen:
    """Numba's code generator at the level of optimisation of kernels."""

    def __init__(self, codegen: Any) -> None:
        self._codegen = codegen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codegen, name)

    def _module_pass_manager(self, **options: Any) -> Any:
        return self._codegen._module_pass_manager(**({"opt": LEVEL} | options))


class _Library(CPUCodeLibrary):  # type: ignore[misc]  # numba is untyped
    """Code that is optimised once, as a whole."""

    _codegen: Any

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        usual, self._codegen = self._codegen, _Codegen(self._codegen)
        try:
            super()._optimize_final_module()
        finally:
            self._codegen = usual


class _KernelLibrary(_Library, JITCodeLibrary):  # type: ignore[misc]  # numba is untyped
    """Machine code of a kernel, which is linked into no other code."""

    def serialize_using_object_code(self) -> Any:
        """Data for the cache: machine code, and instead of its source a module of its names."""
        self._ensure_finalized()
        module = self._final_module
        names = [f'@"{each.name}" = global i8 0' for each in module.global_variables]
        defined = (each for each in module.functions if not each.is_declaration)
        names += [f'define void @"{each.name}"() {{ unreachable }}' for each in defined]
        stub = ll.parse_assembly("\n".join(names)).as_bitcode()
        return self.name, "object", (self._get_compiled_object(), stub)


class _LinkedLibrary(_Library):
    """Optimised code that is linked into other code only."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _Lower(NativeLowering):  # type: ignore[misc]  # numba is untyped
    _name = "lower_kernel"

    def run_pass(self, state: Any) -> bool:
        library = _KernelLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        library.enable_object_caching()  # it is serialised later
        state.library, state.targetctx = library, _with_types(state.targetctx)
        return bool(super().run_pass(state))


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerToLink(NativeLowering):  # type: ignore[misc]  # numba is untyped
    _name = "lower_to_link"

    def run_pass(self, state: Any) -> bool:
        library = _LinkedLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library, state.flags.no_compile = library, True
        state.targetctx = _with_types(state.targetctx)
        super().run_pass(state)
        made = state["cr"]
        module, name = made.fndesc.lookup_module(), made.fndesc.qualname.split(".")[-1]
        function = _dynfunc.make_function(module, name, "", NEVER_CALLED, made.env, (library,))
        state.targetctx.insert_user_function(function, made.fndesc, [library])
        state["cr"] = made._replace(cfunc=function)
        return True


class _QuickFlags(Flags):  # type: ignore[misc]  # numba is untyped
    """Numba's options of a compilation, which it compares at every call of a function."""

    __slots__ = ()

    def values(self) -> dict[str, Any]:
        """All options."""
        options: dict[str, Any] = _DEFAULTS | self._values
        return options


_DEFAULTS: dict[str, Any] = Flags().values()


class KernelCompiler(CompilerBase):  # type: ignore[misc]  # numba is untyped
    """Compiler of kernels, and of helpers that are inlined."""

    replaced: dict[Any, Any] = {
        InlineInlinables: _Inline,
        NopythonRewrites: None,
        NativeLowering: _Lower,
    }

    def _compile_core(self) -> Any:
        self.state.flags = _QuickFlags(self.state.flags)
        return super()._compile_core()

    def define_pipelines(self) -> list[Any]:
        """Numba's usual passes, with those of this module in their places."""
        self.state.typingctx = _shared_typing()
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        found = ((self.replaced.get(each, each), text) for each, text in passes.passes)
        passes.passes = [(each, text) for each, text in found if each is not None]
        passes.finalize()
        return [passes]


class HelperCompiler(KernelCompiler):
    """Compiler of helpers that are linked into kernels, and called from nowhere else."""

    replaced = KernelCompiler.replaced | {NativeLowering: _LowerToLink}
