// rejects.jsonl: the rows of a shard that did not become groundings, one JSON object per line.

import { z } from 'zod'
import { REASONS, type ReasonCode, type Reject } from '../core/reasons.ts'
import { readJsonLines } from './json-lines.ts'
import type { RunStore } from './run-store.ts'

const rejectSchema = z.object({
  key: z.string(),
  row: z.int().min(0),
  stage: z.enum(Object.values(REASONS).map(({ stage }) => stage)),
  code: z.enum(Object.keys(REASONS) as [ReasonCode, ...ReasonCode[]]),
  detail: z.string(),
  url: z.string().exactOptional(),
  httpStatus: z.int().exactOptional(),
  host: z.string().exactOptional(),
  attempts: z.int().exactOptional(),
  time: z.iso.datetime().exactOptional(),
  urlDigest: z.string().exactOptional(),
})

/** In row order. @throws InputError naming file and line if one is no reject */
export function readRejects(store: RunStore, name: string): AsyncGenerator<Reject> {
  return readJsonLines(store, { name, what: 'reject', parse: (value) => rejectSchema.parse(value) })
}
