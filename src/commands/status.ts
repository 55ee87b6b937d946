// groundmill status: what a run folder holds so far.

import { countConcepts, summarizeConcepts, type ConceptSummary } from '../nlp/concepts.ts'
import { formatSummary } from '../run/format-summary.ts'
import { readHostFailures, type HostFailures } from '../run/host-failures.ts'
import { readFailures, summarize } from '../run/summary.ts'
import { openManifest } from '../store/run-manifest.ts'
import { createPosixStore } from '../store/posix/posix-store.ts'
import { committedShards, readCommits } from '../store/shards.ts'
import type { RunStore } from '../store/run-store.ts'
import { positiveInt, type RegisterCommand } from './command.ts'

interface Flags {
  readonly concepts?: true
  readonly hosts?: number
  readonly json?: true
}

/** `groundmill status`; exit code 65 if a record of a shard is damaged. */
export const registerStatus: RegisterCommand = (program, io) => {
  program
    .command('status')
    .description(
      'Progress, rates, losses by reason and failed shards of a run, also while it runs.',
    )
    .argument('<dir>', 'run folder')
    .option('--concepts', 'also count phrases and head nouns; reads every shard')
    .option('--hosts <n>', 'also the hosts that lose most rows, from all rejects', positiveInt)
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  groundmill status demo-run --concepts --json')
    .action(async (dir: string, flags: Flags) => {
      const report = await readStatus(dir, flags)
      const { damagedShards } = report
      io.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : formatStatus(report))
      for (const { error } of damagedShards) io.stderr.write(`groundmill: ${error}\n`)
      io.finish(damagedShards.length === 0 ? 0 : 65)
    })
}

async function readStatus(dir: string, flags: Flags) {
  const manifest = await openManifest(dir)
  const damagedShards: { readonly shard: number; readonly error: string }[] = []
  const store = createPosixStore(dir)
  const commits = await readCommits(store, (shard, { message }) => {
    damagedShards.push({ shard, error: message })
  })
  const summary = summarize(manifest, commits)
  const failedShards = await readFailures(store, commits)
  const concepts = flags.concepts
    ? summarizeConcepts(await countConcepts(rowsOf(store)))
    : undefined
  const hosts = flags.hosts
    ? (await readHostFailures(store, commits)).slice(0, flags.hosts)
    : undefined
  return { dir, ...summary, failedShards, damagedShards, concepts, hosts }
}

function formatStatus(report: Awaited<ReturnType<typeof readStatus>>): string {
  const { dir, failedShards, hosts = [], concepts } = report
  const failed = failedShards.map(({ shard, at, error }) => `  ${shard}  ${at}  ${error}\n`)
  return (
    formatSummary(dir, report) +
    table('failed shards', failed) +
    table('rows lost by host', hosts.map(formatHost)) +
    (concepts === undefined ? '' : formatConcepts(concepts))
  )
}

function formatHost({ host, rows, reasons }: HostFailures): string {
  const list = Object.entries(reasons).map(([code, count]) => `${code} ${count}`)
  return `  ${String(rows).padStart(8)}  ${host}  ${list.join(', ')}\n`
}

function table(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${title}\n${lines.join('')}`
}

async function* rowsOf(store: RunStore) {
  for await (const shard of committedShards(store)) yield* shard.rows()
}

function formatConcepts(concepts: ConceptSummary): string {
  const { total, distinctPhrases, singlePhrases, distinctHeads, singleHeads } = concepts
  const top = concepts.topHeads.map(({ name, count }) => `  ${name}  ${count}\n`)
  const tail = concepts.headHistogram.map(({ from, heads }) => `  from ${from}  ${heads} heads\n`)
  return (
    `concepts    ${total} phrases, ${distinctPhrases} different, ${singlePhrases} seen once\n` +
    `heads       ${distinctHeads}, ${singleHeads} seen once; ${concepts.headsOfHalf} make up half, ` +
    `${concepts.headsOfNineTenths} nine tenths\n` +
    table('most frequent heads', top) +
    table('heads by number of phrases', tail)
  )
}
