import { describe, expect, it } from 'vitest'
import { ODVG_DIALECTS } from '../../src/core/dialects.ts'
import { odvgRules } from '../../src/validate/odvg-rules.ts'

describe('odvgRules', () => {
  it('are the same kinds for all loaders, each a full sentence of three parts', () => {
    const [mmdet, ...others] = ODVG_DIALECTS.map(odvgRules)
    for (const rules of others) expect(Object.keys(rules)).toEqual(Object.keys(mmdet!))
    for (const rule of [mmdet!, ...others].flatMap((rules) => Object.values(rules))) {
      expect(Object.keys(rule)).toEqual(['effect', 'loader', 'advice'])
      expect(rule.loader).not.toBe('')
      expect(rule.advice).not.toBe('')
    }
  })

  it.each([
    ['box_reversed', 'drop', 'crash', 'wrong'],
    ['box_small', 'drop', 'none', 'none'],
    ['box_outside', 'drop', 'wrong', 'wrong'],
    ['box_not_finite', 'wrong', 'crash', 'wrong'],
    ['regions_empty', 'none', 'crash', 'none'],
    ['phrase_blank', 'none', 'wrong', 'wrong'],
    ['span_utf16', 'wrong', 'wrong', 'wrong'],
  ] as const)('%s: %s for mmdet, %s for Open-GroundingDino, %s for TAO', (code, ...effects) => {
    expect(ODVG_DIALECTS.map((dialect) => odvgRules(dialect)[code].effect)).toEqual(effects)
  })

  it('name the key and the dialect of the loader', () => {
    const loaders = ODVG_DIALECTS.map((dialect) => odvgRules(dialect).filename_missing.loader)

    expect(loaders).toEqual([
      "KeyError: 'filename'",
      "KeyError: 'filename'",
      "KeyError: 'file_name'",
    ])
    for (const dialect of ['open-groundingdino', 'tao'] as const) {
      expect(odvgRules(dialect).bbox_nested.advice).toContain(`--dialect ${dialect}:`)
    }
  })
})
