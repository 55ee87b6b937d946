// The totals of a run for people.

import { retryOf, stageOf, type ReasonCode } from '../core/reasons.ts'
import { formatSeconds } from './progress.ts'
import type { RunSummary } from './summary.ts'

/** Lines of text, the last with its newline; what there is nothing of has no line. */
export function formatSummary(runDir: string, summary: RunSummary): string {
  const { shards, rows, counts, reasons, stages, rowsPerSecond, etaSeconds, versions } = summary
  const share = (count: number) =>
    rows.committed === 0 ? '' : ` (${((100 * count) / rows.committed).toFixed(1)} %)`
  const lines = [
    `run         ${runDir} (${summary.runId})`,
    `shards      ${shards.committed} of ${shards.total} committed`,
    `rows        ${rows.committed} of ${rows.total}`,
    `groundings  ${counts.groundings}${share(counts.groundings)}`,
    `rejects     ${counts.rejects}${share(counts.rejects)}`,
    `phrases     ${counts.phrases}` +
      (counts.droppedPhrases > 0 ? `, ${counts.droppedPhrases} of them in no prompt` : ''),
    `candidates  ${counts.candidates}`,
    `rate        ${rowsPerSecond.toFixed(1)} rows/s` +
      (etaSeconds === null ? '' : `, ${formatSeconds(etaSeconds)} left`),
  ]
  if (versions !== undefined) {
    const labelled = Object.entries(versions).map(
      ([version, count]) => `${version} (${count} shard${count === 1 ? '' : 's'})`,
    )
    lines.push(`versions    ${labelled.join(', ')}`)
  }
  const lost = Object.entries(stages)
  if (lost.length > 0) {
    lines.push(`lost at     ${lost.map(([stage, count]) => `${stage} ${count}`).join(', ')}`)
    lines.push('rejects by reason')
  }
  for (const [code, count] of Object.entries(reasons) as [ReasonCode, number][]) {
    const hint = retryOf(code) === 'never' ? '' : ', may succeed later'
    lines.push(`  ${code.padEnd(22)} ${String(count).padStart(8)}  (${stageOf(code)}${hint})`)
  }
  return `${lines.join('\n')}\n`
}
