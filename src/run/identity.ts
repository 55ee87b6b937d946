// What a run is: all that decides the bytes of its shards. A folder is only gone on with by the same run,
// whichever version of groundmill began it: its configuration is read with today's schema, and what
// options mean has numbers of its own.

import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { outputConfig, parseConfig, type Config, type Sections } from '../config.ts'
import { ConfigError } from '../core/errors.ts'
import type { Json } from '../core/types.ts'
import { identifyHooks } from '../ingest/fetch/hooks.ts'
import type { CaptionSource } from '../ingest/source/source.ts'
import type { Identity, RunManifest } from '../store/run-manifest.ts'
import { describeTeacher } from '../teacher/open-teacher.ts'
import { VERSION } from '../version.ts'
import { changedMeanings, raisedMeanings } from './meanings.ts'
import { storedConfig, versionOf } from './stored-config.ts'

/** A run before its folder: what decides its bytes, and what else its manifest will hold. */
export interface RunIdentity {
  /** Of a new folder; one that is there already keeps the id that it was begun with. */
  readonly runId: string
  readonly identity: Identity
  readonly config: Config
  readonly teacher: RunManifest['teacher']
}

/** @throws ConfigError or InputError if the configured teacher cannot be found or read */
export async function identifyRun(config: Config, source: CaptionSource): Promise<RunIdentity> {
  const teacher = await describeTeacher(config.teacher)
  const meanings = raisedMeanings()
  const identity: Identity = {
    config: withFetch(outputConfig(config), await identifyHooks(config.fetch)),
    source: source.identity,
    teacher: { id: teacher.id, sha256: teacher.sha256 },
    ...(meanings === undefined ? {} : { meanings }),
  }
  return { runId: runIdOf(identity), identity, config, teacher }
}

/** Options of `fetch:` whose files are in the identity by content, not by path. */
const BY_CONTENT = ['hooks', 'blockUrls', 'blockHashes']

function withFetch(sections: Sections, byContent: Readonly<Record<string, Json>>): Sections {
  return { ...sections, fetch: { ...sections['fetch'], ...byContent } }
}

/**
 * A manifest with its identity as today's program would have written it: options that came since have
 * their defaults.
 *
 * @throws ConfigError naming a stored option that today's schema does not take
 */
export function inTodaysTerms(runDir: string, manifest: RunManifest): RunManifest {
  const { config } = manifest.identity
  const fetch = isObject(config) && isObject(config['fetch']) ? config['fetch'] : {}
  const byContent = Object.entries(fetch).filter(([key]) => BY_CONTENT.includes(key))
  const today = outputConfig(storedConfig(runDir, manifest))
  return {
    ...manifest,
    identity: { ...manifest.identity, config: withFetch(today, Object.fromEntries(byContent)) },
  }
}

/**
 * A name for a run: 16 hex digits over its identity without the options that are at their default, so
 * that an option added later leaves the id of the same run alone. That two runs are the same is for
 * `assertSameRun` to say: a default that changes leaves the id alone too.
 */
export function runIdOf(identity: Identity): string {
  const defaults = outputConfig(parseConfig({}, 'the defaults'))
  const config = withoutDefaults(identity.config, defaults)
  return createHash('sha256')
    .update(canonicalJson({ ...identity, config }))
    .digest('hex')
    .slice(0, 16)
}

function withoutDefaults(value: Json, fallback: Json | undefined): Json {
  if (!isObject(value) || !isObject(fallback)) return value
  const entries = Object.entries(value).filter(
    ([key, item]) => !isDeepStrictEqual(item, fallback[key]),
  )
  return Object.fromEntries(
    entries.map(([key, item]) => [key, withoutDefaults(item, fallback[key])]),
  )
}

/** JSON with object keys sorted and without spaces. */
export function canonicalJson(value: Json): string {
  if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (isObject(value)) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`
  }
  return JSON.stringify(value)
}

/** A source of thousands of files may differ in each of them. */
const MAX_DIFFERENCES = 20

/**
 * @param stored of the folder, in today's terms
 * @throws ConfigError listing every field that differs, if the folder belongs to another run
 */
export function assertSameRun(runDir: string, stored: RunManifest, identity: Identity): void {
  const { meanings: before, ...then } = stored.identity
  const { meanings, ...now } = identity
  const changed = changedMeanings(before, meanings)
  if (changed.length > 0) {
    const version = versionOf(stored)
    throw new ConfigError(
      `${runDir} was labelled by groundmill ${version}, for which options had another meaning: with ` +
        `the same ones ${VERSION} would write other bytes. Go on with ${version}, or choose another ` +
        `--out to label anew:\n${indented(changed)}`,
    )
  }
  const differences = diff('', then, now)
  if (differences.length === 0) return
  const shown = differences.slice(0, MAX_DIFFERENCES)
  const more = differences.length - shown.length
  if (more > 0) shown.push(`and ${more} more`)
  throw new ConfigError(
    `${runDir} belongs to run ${stored.runId}, which was made with another config, source or ` +
      `teacher. Choose another --out, or restore what differs:\n${indented(shown)}`,
  )
}

function indented(lines: readonly string[]): string {
  return lines.map((line) => `  ${line}`).join('\n')
}

function diff(name: string, before: Json | undefined, now: Json | undefined): string[] {
  if (isObject(before) && isObject(now)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort()
    return keys.flatMap((key) => diff(name === '' ? key : `${name}.${key}`, before[key], now[key]))
  }
  if (isList(before) && isList(now)) {
    const indices = Array.from({ length: Math.max(before.length, now.length) }, (_, index) => index)
    return indices.flatMap((index) => diff(`${name}[${index}]`, before[index], now[index]))
  }
  const [a, b] = [before, now].map((value) =>
    value === undefined ? '(not set)' : canonicalJson(value),
  )
  return a === b ? [] : [`${name}: the run has ${a}, now ${b}`]
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value)
}

function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
