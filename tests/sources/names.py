# SPDX-License-Identifier: MIT
"""names.py BUILD: names in unnamed namespaces are unique within a target that is compiled as a unity.

Reads which sources a target has from BUILD/compile_commands.json. Two files that share such a name
compile only as long as they do not fall into the same unit. Prints each double and exits with 1.
"""
import json
import re
import sys
from collections import defaultdict
from pathlib import Path

NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|^[ \t]*#(?:\\\n|[^\n])*',
                      re.S | re.M)
NAMESPACE = re.compile(r"\s*(?:inline\s+)?namespace\s*([\w:]*)\s*$")
TYPE = re.compile(r"^(?:struct|class|union|enum(?:\s+class|\s+struct)?)\s+(\w+)")
NOISE = re.compile(r"\[\[.*?\]\]|\b(?:static|inline|constexpr|constinit|const|extern|thread_local)\b")


def without_template(declaration):
    """The declaration behind `template <...>`, whatever is nested in it."""
    while declaration.startswith("template"):
        depth = 0
        for i, c in enumerate(declaration):
            depth += (c == "<") - (c == ">")
            if c == ">" and depth == 0:
                declaration = declaration[i + 1:].strip()
                break
        else:
            return ""
    return declaration


def declared(declaration):
    """The name that a declaration introduces; None where it introduces none."""
    text = without_template(NOISE.sub(" ", declaration).strip())
    if match := TYPE.match(text):
        return match[1]
    if match := re.match(r"using\s+(\w+)\s*=", text):
        return match[1]
    if not text or text.startswith(("using", "namespace", "friend", "static_assert", "NLOHMANN", "requires")):
        return None
    depth, head = 0, ""
    for c in text:  # what stands before the first ( = [ outside of template arguments
        if c in "(=[" and depth == 0 and head.strip():
            break
        depth += (c == "<") - (c == ">")
        head += c
    match = re.search(r"\b([A-Za-z_]\w*|operator\s*\S+)\s*$", head)
    return match[1] if match and "::" + match[1] not in head else None


def unnamed(text):
    """(enclosing namespaces, name) of everything in unnamed namespaces of one source."""
    text = NOT_CODE.sub(" ", text)
    stack, declaration, parentheses = [], "", 0  # stack: namespaces by name, None for other braces
    for c in text:
        inside = "" in stack and None not in stack
        if c == "{" and parentheses == 0:
            match = NAMESPACE.match(declaration)
            if match:
                stack.append(match[1])
            else:
                if inside and (name := declared(declaration)):
                    yield "::".join(filter(None, stack)), name
                stack.append(None)
            declaration = ""
        elif c == "}" and parentheses == 0:
            if stack:
                stack.pop()
            declaration = ""
        elif c == ";" and parentheses == 0:
            if inside and (name := declared(declaration)):
                yield "::".join(filter(None, stack)), name
            declaration = ""
        else:
            parentheses += (c == "(") - (c == ")")
            declaration += c


def targets(build):
    """For each target, the sources that are compiled together with others of it."""
    result = defaultdict(set)
    for command in json.loads((build / "compile_commands.json").read_text()):
        unit = Path(command["directory"], command["file"])
        if "Unity" in unit.parts:
            target = re.search(r"CMakeFiles/([^/]+)\.dir/", unit.as_posix())[1]
            result[target].update(re.findall(r'#include "([^"]+)"', unit.read_text()))
    return result


def doubles(sources):
    """(name, files) of each name that several of these sources, {path: text}, introduce."""
    files = defaultdict(set)
    for path, text in sources.items():
        for name in unnamed(text):
            files[name].add(path)
    return sorted((name, sorted(paths)) for name, paths in files.items() if len(paths) > 1)


def main():
    planted = ("#include <map>\nnamespace a {\nnamespace {\nconst std::map<int, B> kOne = {{1, {}}};\n"
               "template <class T>\nT f(T x = {}) { int y = g(x); return y; }\nstruct S { int z; };\n"
               "}  // namespace\nint h() { return 1; }\n}")
    found = [name for (_, name), _ in doubles({"x": planted, "y": planted})]
    assert found == ["S", "f", "kOne"], found
    assert not doubles({"x": planted, "y": planted.replace("namespace a", "namespace b")})
    wrong, count = 0, 0
    for target, paths in sorted(targets(Path(sys.argv[1])).items()):
        count += len(paths)
        for (_, name), files in doubles({path: Path(path).read_text() for path in paths}):
            wrong += 1
            print(f"{target}: {name} in {', '.join(files)}")
    print(f"{count} files, {wrong} names that are not unique")
    sys.exit(1 if wrong or count == 0 else 0)


if __name__ == "__main__":
    main()
