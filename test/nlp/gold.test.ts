import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { goldFile, hasGold, readGoldCaptions } from '../helpers/gold.ts'
import { finderOf } from '../helpers/phrases.ts'

interface Score {
  readonly badSpans: number
  readonly metrics: { readonly nodet: { readonly r: number; readonly f1: number } }
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'groundmill-gold-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Scores the default phrases of every caption, written another way by `spell`. */
function score(name: string, spell: (caption: string) => string): Score {
  const find = finderOf()
  const lines = readGoldCaptions(name).map(({ id, caption }) => {
    const result = find({ caption: spell(caption) })
    return JSON.stringify({ id, phrases: 'code' in result ? [] : result.sourceSpans })
  })
  const file = path.join(folder, `${name}.jsonl`)
  writeFileSync(file, lines.join('\n'))
  const scorer = [goldFile('score-phrases.mjs'), goldFile(`${name}.jsonl`), file, '--json']
  return JSON.parse(execFileSync(process.execPath, scorer).toString()) as Score
}

const plain = (caption: string) => caption
/** Where the length changes with the case, spans would not fit the gold's. */
const upper = (caption: string) =>
  caption.toUpperCase().length === caption.length ? caption.toUpperCase() : caption
const title = (caption: string) =>
  caption.replace(/(^|[\s-])(\p{Ll})/gu, (_, before: string, letter: string) =>
    letter.toUpperCase().length === 1 ? before + letter.toUpperCase() : before + letter,
  )

if (!hasGold) {
  it.skip('SKIPPED: set GROUNDMILL_GOLD to the folder of gold captions, see CONTRIBUTING.md', () =>
    undefined)
}

describe.skipIf(!hasGold)('on gold captions', () => {
  it('finds what people marked in image captions', () => {
    const { metrics, badSpans } = score('ists-captions-dev', plain)

    expect(badSpans).toBe(0)
    expect(metrics.nodet.f1).toBeGreaterThanOrEqual(0.985)
  })

  it('finds what a parser marked, whose own phrases are right in 96 of 100 cases', () => {
    const { metrics, badSpans } = score('flickr30k-parsed-dev', plain)

    expect(badSpans).toBe(0)
    expect(metrics.nodet.f1).toBeGreaterThanOrEqual(0.935)
  })

  it('finds the phrases that have boxes', () => {
    const { metrics, badSpans } = score('coco-grounded-dev', plain)

    expect(badSpans).toBe(0)
    expect(metrics.nodet.r).toBeGreaterThanOrEqual(0.94)
  })

  it('does little harm in web text', () => {
    const { metrics, badSpans } = score('web-text-dev', plain)

    expect(badSpans).toBe(0)
    expect(metrics.nodet.f1).toBeGreaterThanOrEqual(0.82)
  })

  it.each(['ists-captions-dev', 'flickr30k-parsed-dev'])(
    'loses at most a point in capitals: %s',
    (name) => {
      const { f1 } = score(name, plain).metrics.nodet

      expect(score(name, upper).metrics.nodet.f1).toBeGreaterThanOrEqual(f1 - 0.01)
      expect(score(name, title).metrics.nodet.f1).toBeGreaterThanOrEqual(f1 - 0.01)
    },
  )
})
