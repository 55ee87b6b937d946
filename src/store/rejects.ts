// rejects.jsonl: the rows of a shard that did not become groundings, one JSON object per line.

import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { InputError, messageOf } from '../core/errors.ts'
import { REASONS, type ReasonCode, type Reject, type StageName } from '../core/reasons.ts'

const STAGES = [
  'source',
  'caption',
  'phrases',
  'fetch',
  'image',
  'teacher',
] as const satisfies StageName[]

const rejectSchema = z.object({
  key: z.string(),
  row: z.int().min(0),
  stage: z.enum(STAGES),
  code: z.enum(Object.keys(REASONS) as [ReasonCode, ...ReasonCode[]]),
  detail: z.string(),
  url: z.string().optional(),
  httpStatus: z.int().optional(),
  host: z.string().optional(),
  attempts: z.int().optional(),
  time: z.iso.datetime().optional(),
  urlDigest: z.string().optional(),
})

/** In row order. @throws InputError naming file and line if one is no reject */
export async function* readRejects(file: string): AsyncGenerator<Reject> {
  // Line feeds inside strings are escaped in JSON, and so are the other line ends by cleanDetail().
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Infinity })
  let number = 0
  for await (const line of lines) {
    number++
    let reject: z.output<typeof rejectSchema>
    try {
      reject = rejectSchema.parse(JSON.parse(line))
    } catch (error) {
      throw new InputError(`${file}, line ${number}: not a reject: ${messageOf(error)}`)
    }
    yield JSON.parse(JSON.stringify(reject)) as Reject
  }
}
