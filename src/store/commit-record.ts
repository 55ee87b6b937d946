// commit.json: what a shard holds. A shard is done if, and only if, this record exists and parses.

import { z } from 'zod'
import { REASONS, type ReasonCode } from '../core/reasons.ts'

/** From 0. */
export const count = z.int().min(0)
/** 64 hex digits. */
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
/** Of a file, see FileDigest. */
export const digest = z.strictObject({ size: count, sha256 })

/** Raised when an older record would be misread. */
export const COMMIT_FORMAT = 1

/** Also checks that rows and reasons add up. */
export const commitRecordSchema = z
  .strictObject({
    formatVersion: z.literal(COMMIT_FORMAT),
    runId: z.string(),
    shard: z.int().min(0),
    /** 1, or more after `retry-failed`. */
    version: z.int().min(1),
    /** Rows [start, end) of the source. */
    rows: z.strictObject({ start: count, end: count }),
    files: z.record(z.string(), digest),
    counts: z.strictObject({
      groundings: count,
      rejects: count,
      phrases: count,
      candidates: count,
      /** Phrases that no prompt could hold. */
      droppedPhrases: count,
    }),
    /** Rejects per reason code. */
    reasons: z.partialRecord(z.enum(Object.keys(REASONS) as [ReasonCode, ...ReasonCode[]]), count),
    /** Differs between runs of the same shard; nothing else in the shard's folder does. */
    stats: z.strictObject({
      host: z.string(),
      version: z.string(),
      provider: z.string(),
      startedAt: z.string(),
      seconds: z.number().min(0),
      /** Seconds summed over rows, per stage; stages overlap. */
      stageSeconds: z.record(z.string(), z.number().min(0)),
    }),
  })
  .refine(
    ({ rows, counts }) => counts.groundings + counts.rejects === rows.end - rows.start,
    'groundings + rejects must equal the rows of the shard',
  )
  .refine(
    ({ reasons, counts }) =>
      Object.values(reasons).reduce((sum, some) => sum + some, 0) === counts.rejects,
    'the counts per reason must add up to the rejects',
  )

/** What one version of a shard holds, and how it was made. */
export type CommitRecord = z.output<typeof commitRecordSchema>
