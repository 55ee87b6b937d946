import { describe, expect, it } from 'vitest'
import { FileFindings, show, Spot, type Rule } from '../../src/validate/findings.ts'

const RULES = {
  odd: { effect: 'risk', loader: 'may stumble', advice: 'look' },
  bad: { effect: 'crash', loader: 'stops', advice: 'mend' },
  lost: { effect: 'drop', loader: 'drops it', advice: 'drop it first' },
  false: { effect: 'wrong', loader: 'trains on it', advice: 'mend' },
  fine: { effect: 'none', loader: 'copes', advice: 'nothing' },
} satisfies Record<string, Rule>

describe('FileFindings', () => {
  it('lists errors first, each kind once, in the order of their first place', () => {
    const findings = new FileFindings(RULES)
    for (const code of ['fine', 'false', 'odd', 'bad', 'odd', 'lost'] as const) {
      findings.add(code, { file: 'a', detail: code })
    }

    expect(findings.list().map(({ code, level, count }) => [code, level, count])).toEqual([
      ['false', 'error', 1],
      ['bad', 'error', 1],
      ['fine', 'warning', 1],
      ['odd', 'warning', 2],
      ['lost', 'warning', 1],
    ])
    expect(findings.list()[1]).toEqual({
      code: 'bad',
      level: 'error',
      ...RULES.bad,
      count: 1,
      places: [{ file: 'a', detail: 'bad' }],
    })
  })

  it('keeps five places and short details', () => {
    const findings = new FileFindings(RULES)
    for (let line = 1; line <= 9; line++) {
      findings.add('bad', { file: 'a', line, detail: 'x'.repeat(200) })
    }

    const [{ count, places }] = findings.list() as [ReturnType<typeof findings.list>[0]]
    expect(count).toBe(9)
    expect(places.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5])
    expect(places[0]!.detail).toBe(`${'x'.repeat(159)}…`)
  })
})

describe('Spot', () => {
  it('names the place from the file inwards', () => {
    const findings = new FileFindings(RULES)
    const line = new Spot(findings, { file: 'a.jsonl', line: 3 })

    line.say('odd', 'of the line')
    line.within('regions[1]').say('odd', 'of the region')
    line.within('regions[1]').within('.bbox[0]').say('odd', 'of the box')

    expect(findings.list()[0]!.places).toEqual([
      { file: 'a.jsonl', line: 3, detail: 'of the line' },
      { file: 'a.jsonl', line: 3, record: 'regions[1]', detail: 'of the region' },
      { file: 'a.jsonl', line: 3, record: 'regions[1].bbox[0]', detail: 'of the box' },
    ])
  })
})

describe('show', () => {
  it.each([
    [NaN, 'NaN'],
    [-Infinity, '-Infinity'],
    [undefined, 'nothing'],
    [null, 'null'],
    ['a', '"a"'],
    [[1, { a: 2 }], '[1,{"a":2}]'],
  ])('%j as %s', (value, text) => {
    expect(show(value)).toBe(text)
  })
})
