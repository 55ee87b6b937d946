import { describe, expect, it } from 'vitest'
import { ODVG_DIALECTS, odvgDialect } from '../../src/core/dialects.ts'

describe('odvgDialect', () => {
  it('takes the dialects alone', () => {
    expect(ODVG_DIALECTS.map(odvgDialect)).toEqual([...ODVG_DIALECTS])
    expect(() => odvgDialect('mmdet3d')).toThrow(RangeError)
    expect(() => odvgDialect(undefined)).toThrow(RangeError)
  })
})
