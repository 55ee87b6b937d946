import { describe, expect, it } from 'vitest'
import { COCO_RULES, type CocoCode } from '../../src/validate/coco-rules.ts'
import { FileFindings } from '../../src/validate/findings.ts'

describe('COCO_RULES', () => {
  it('say for each kind what a reader does and what to do', () => {
    for (const { loader, advice } of Object.values(COCO_RULES)) {
      expect(loader).not.toBe('')
      expect(advice).not.toBe('')
    }
  })

  it.each<['error' | 'warning', readonly CocoCode[]]>([
    ['error', ['json_invalid', 'annotation_id_zero', 'category_id_unresolved', 'box_not_finite']],
    ['warning', ['licenses_missing', 'category_id_zero', 'box_empty', 'iscrowd_set']],
  ])('are an %s only where that loses more than single boxes', (level, codes) => {
    const findings = new FileFindings(COCO_RULES)
    for (const code of codes) findings.add(code, { file: 'a.json', detail: '' })

    expect(findings.list().map((found) => [found.level, found.code])).toEqual(
      codes.map((code) => [level, code]),
    )
  })
})
