# SPDX-License-Identifier: MIT
"""Whether two runs measured the same: same_results.py ONE OTHER, each a results.json.

The same cells with the same status, and in each the same values of what depends on the seed alone:
metrics of the kind `seeded` with their samples, and the curves of cells that have any, bit for bit.
Times may differ, and so may what they were measured on."""
import json
import sys


def cells(path):
    with open(path) as file:
        return {cell['id']: cell for cell in json.load(file)['cells']}


def seeded(cell):
    """Every number of a cell that depends on the seed alone, by name."""
    found = {name: [metric['value'], *metric.get('samples', [])]
             for name, metric in cell['metrics'].items() if metric['kind'] == 'seeded'}
    if found:
        found.update({f'{name} ({curve["x"]})': curve['points'] for name, curve in cell['series'].items()})
    return found


def main():
    one, other = (cells(path) for path in sys.argv[1:])
    if one.keys() != other.keys():
        sys.exit(f'the cells differ: {len(one.keys() - other.keys())} are only in {sys.argv[1]}, '
                 f'{len(other.keys() - one.keys())} only in {sys.argv[2]}')
    values = 0
    for name, cell in one.items():
        for what, a, b in (('status', cell['status'], other[name]['status']),
                           ('seeded numbers', seeded(cell), seeded(other[name]))):
            if a != b:
                sys.exit(f'cell {name}: {what} differ: {a} and {b}')
        values += len(seeded(cell))
    if not values:
        sys.exit('no cell has a seeded metric: nothing was compared')
    print(f'{len(one)} cells, {values} seeded values equal')


if __name__ == '__main__':
    main()
