// The bundled sample as a benchmark takes it: encoded images with captions and gold phrases.

import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { codePointIndex } from '../core/span.ts'
import type { Phrase } from '../core/types.ts'

const SAMPLE = fileURLToPath(new URL('../../sample', import.meta.url))

/** An image with its caption and gold phrases. */
export interface EncodedSample {
  readonly bytes: Uint8Array
  readonly caption: string
  readonly phrases: readonly Phrase[]
}

const goldSchema = z.object({
  key: z.string(),
  caption: z.string(),
  phrases: z.array(z.object({ start: z.int(), end: z.int(), text: z.string(), noun: z.string() })),
})

/** The first images of the bundled sample with their gold phrases, which have the usual number and length. */
export async function readSample(count: number): Promise<EncodedSample[]> {
  const samples: EncodedSample[] = []
  const gold = await readFile(path.join(SAMPLE, 'gold.jsonl'), 'utf8')
  for (const line of gold.trimEnd().split('\n').slice(0, count)) {
    const { key, caption, phrases } = goldSchema.parse(JSON.parse(line))
    const { toUtf16 } = codePointIndex(caption)
    samples.push({
      bytes: await readFile(path.join(SAMPLE, 'images', `${key}.jpg`)),
      caption,
      phrases: phrases.map(({ start, end, text, noun }) => ({
        start: toUtf16(start),
        end: toUtf16(end),
        text,
        head: noun,
        lemma: noun,
      })),
    })
  }
  return samples
}
