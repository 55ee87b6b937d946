// One line of what the doctor says, and how a check comes to it.

import { messageOf } from '../core/errors.ts'
import { DeadlineError, withDeadline } from '../system/deadline.ts'

/** What was seen and, unless it is fine, what to do. */
export interface Check {
  /** Its name: node, disk, teacher, dataset, egress, rows, resolver, robots, clock. */
  readonly check: string
  readonly status: 'ok' | 'warn' | 'fail'
  readonly detail: string
  /** What to do about it, in words. */
  readonly advice?: string
}

/** What holds for a check. */
export interface CheckLimits {
  readonly check: string
  /** What is not known by then is said. */
  readonly limitMs: number
  readonly signal: AbortSignal
}

/** A check that throws, or does not end in time, has found something, too. */
export async function guard(
  { check, limitMs, signal }: CheckLimits,
  run: (signal: AbortSignal) => Promise<Check>,
): Promise<Check> {
  try {
    return await withDeadline(limitMs, signal, run)
  } catch (error) {
    if (!(error instanceof DeadlineError))
      return { check, status: 'fail', detail: messageOf(error) }
    const detail = `not done in ${error.ms / 1000} s`
    const advice = 'something that this reads does not answer'
    return { check, status: 'fail', detail, advice }
  }
}
