import { describe, expect, it } from 'vitest'
import { REASONS, retryOf, stageOf, type ReasonCode } from '../../src/core/reasons.ts'

const codes = Object.keys(REASONS) as ReasonCode[]
const STAGES = ['source', 'caption', 'phrases', 'fetch', 'image', 'teacher']

describe('reasons', () => {
  it('are words that a table can hold', () => {
    for (const code of codes) expect(code).toMatch(/^[a-z][a-z0-9_]{1,30}$/)
  })

  it('are declared in the order of the pipeline', () => {
    const order = codes.map((code) => STAGES.indexOf(stageOf(code)))

    expect(order).toEqual([...order].sort((a, b) => a - b))
    expect(new Set(order).size).toBe(STAGES.length)
  })

  it.each([
    ['dns_timeout', 'now'],
    ['http_429', 'later'],
    ['http_4xx', 'never'],
    ['decode_error', 'never'],
    ['teacher_failed', 'now'],
  ] as const)('say when %s is worth another attempt: %s', (code, retry) => {
    expect(retryOf(code)).toBe(retry)
  })
})
