// User modules that decide about rows: before the fetch, on the received bytes, after decoding; and
// the lists of what is never fetched or kept. docs/hooks.md is their reference.

import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { ConfigError, SampleError, ShardError, messageOf } from '../../core/errors.ts'
import type { DecodedImage, ImageRef, Json } from '../../core/types.ts'
import { parseHashList, parseUrlList, type HashList, type UrlList } from './blocklist.ts'
import type { FetchOptions } from './options.ts'

/** Nothing or "keep" lets the row go on; the texts are for the record. */
export type HookDecision =
  undefined | 'keep' | { readonly drop: string } | { readonly quarantine: string }

/** The name of a list that has the image: recorded as a match with `blockHashes` is. */
export interface HookMatch {
  readonly match: string
}

/** Before an image is asked for; `url` and `host` are missing for what is no URL. */
export interface BeforeFetch {
  readonly url?: string
  readonly host?: string
  readonly caption: string
}

/** The encoded image as it was received. Rows that share a URL share this call. */
export interface OnBytes {
  readonly url?: string
  readonly bytes: Uint8Array
  /** Hex, of `bytes`. */
  readonly sha256: string
}

/** A decoded image, with what is known of its row. */
export interface AfterDecode {
  readonly url?: string
  readonly caption: string
  readonly sha256: string
  /** 16 hex digits. */
  readonly dhash: string
  /** Upright 8-bit RGB, row-major; not to be changed. */
  readonly image: DecodedImage
}

type Verdict = HookDecision | Promise<HookDecision>

/** What a hook module exports. */
export interface HookModule {
  readonly name: string
  /** Part of the run's identity: another version is another run. */
  readonly version: string
  readonly beforeFetch?: (row: BeforeFetch) => Verdict
  readonly onBytes?: (image: OnBytes) => Verdict | HookMatch | Promise<HookMatch>
  readonly afterDecode?: (image: AfterDecode) => Verdict
}

/** All hooks and lists of a config. Each call throws SampleError for what may not be used. */
export interface Hooks {
  /** Whether `afterDecode` asks anybody. */
  readonly wantsPixels: boolean
  /** @throws SampleError hook_dropped or hook_quarantined */
  beforeFetch(image: ImageRef, caption: string): Promise<void>
  /** Of every hop. @throws SampleError blocklist_url */
  checkUrl(url: URL): void
  /** @throws SampleError blocklist_hash, hook_dropped or hook_quarantined */
  onBytes(image: ImageRef, bytes: Uint8Array): Promise<void>
  /** @throws SampleError hook_dropped or hook_quarantined */
  afterDecode(image: Omit<AfterDecode, 'url'>, ref: ImageRef): Promise<void>
}

type HookOptions = Pick<FetchOptions, 'hooks' | 'blockUrls' | 'blockHashes'>

/** Makes what stands for the URL or path of an image in a list. */
type UrlDigest = (url: string) => string

/** Lets every row pass. */
export const NO_HOOKS: Hooks = createHooks({ modules: [], digestUrl: () => '' })

/** True if one of them may find an image in a list, whose URL needs a digest then. */
export function mayMatch({ hooks, blockHashes }: HookOptions): boolean {
  return hooks.length > 0 || blockHashes !== undefined
}

/** @throws ConfigError naming the file that cannot be loaded, and why */
export async function loadHooks(options: HookOptions, digestUrl: UrlDigest): Promise<Hooks> {
  const { blockUrls: urls, blockHashes: hashes } = options
  const modules = await Promise.all(options.hooks.map(loadModule))
  return createHooks({
    modules,
    ...(urls !== undefined && {
      urls: parseUrlList(path.basename(urls), await readList('blockUrls', urls)),
    }),
    ...(hashes !== undefined && {
      hashes: parseHashList(path.basename(hashes), await readList('blockHashes', hashes)),
    }),
    digestUrl,
  })
}

/**
 * What the hooks and lists add to the identity of a run: names, versions and hashes of the files
 * instead of their paths.
 *
 * @throws ConfigError as loadHooks
 */
export async function identifyHooks(options: HookOptions): Promise<Readonly<Record<string, Json>>> {
  const hooks = await Promise.all(
    options.hooks.map(async (file) => {
      const { name, version } = await loadModule(file)
      return { name, version, sha256: sha256(await readList('hooks', file)) }
    }),
  )
  const identity: Record<string, Json> = { hooks }
  for (const key of ['blockUrls', 'blockHashes'] as const) {
    const file = options[key]
    if (file !== undefined) identity[key] = sha256(await readList(key, file))
  }
  return identity
}

async function readList(key: string, file: string): Promise<string> {
  try {
    return await fs.readFile(file, 'utf8')
  } catch (error) {
    throw new ConfigError(`fetch.${key}: ${messageOf(error)}`, { cause: error })
  }
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

const hook = z.custom<(row: never) => Verdict>((value) => typeof value === 'function', {
  error: 'must be a function',
})
const moduleSchema = z.object({
  name: z.string().min(1).max(100),
  version: z.string().min(1).max(100),
  beforeFetch: hook.optional(),
  onBytes: hook.optional(),
  afterDecode: hook.optional(),
})

async function loadModule(file: string): Promise<HookModule> {
  let loaded: unknown
  try {
    loaded = await import(pathToFileURL(path.resolve(file)).href)
  } catch (error) {
    throw new ConfigError(`fetch.hooks: ${file}: ${messageOf(error)}`, { cause: error })
  }
  const parsed = moduleSchema.safeParse(loaded)
  if (!parsed.success) {
    throw new ConfigError(`fetch.hooks: ${file}:\n${z.prettifyError(parsed.error)}`)
  }
  const { beforeFetch, onBytes, afterDecode } = parsed.data
  if (beforeFetch === undefined && onBytes === undefined && afterDecode === undefined) {
    throw new ConfigError(
      `fetch.hooks: ${file} exports none of beforeFetch, onBytes and afterDecode`,
    )
  }
  return parsed.data as HookModule
}

const decisionSchema = z.union([
  z.undefined(),
  z.literal('keep'),
  z.strictObject({ drop: z.string() }),
  z.strictObject({ quarantine: z.string() }),
])
const matchSchema = z.strictObject({ match: z.string() })

interface Question {
  readonly point: 'beforeFetch' | 'onBytes' | 'afterDecode'
  readonly call: (module: HookModule) => ReturnType<NonNullable<HookModule['onBytes']>>
  readonly onMatch?: (list: string) => SampleError
}

/** One after the other, so that a later one never sees what an earlier one has refused. */
async function decide(
  modules: readonly HookModule[],
  { point, call, onMatch }: Question,
): Promise<void> {
  for (const module of modules) {
    if (module[point] === undefined) continue
    const where = `hook ${module.name} ${module.version}, ${point}`
    let answer: unknown
    try {
      answer = await call(module)
    } catch (error) {
      // A row that was not judged must not be kept, nor be lost to a bug in the hook.
      throw new ShardError(`${where}: ${messageOf(error)}`, { cause: error })
    }
    const matched = matchSchema.safeParse(answer).data
    if (matched !== undefined && onMatch !== undefined) throw onMatch(matched.match)
    const decision = decisionSchema.safeParse(answer)
    if (!decision.success) {
      throw new ShardError(
        `${where}: must return nothing, "keep", { drop: "why" } or { quarantine: "why" }` +
          (onMatch === undefined ? '' : ' or { match: "list" }'),
      )
    }
    const { data } = decision
    if (data === undefined || data === 'keep') continue
    throw 'drop' in data
      ? new SampleError('hook_dropped', `${module.name}: ${data.drop}`)
      : new SampleError('hook_quarantined', `${module.name}: ${data.quarantine}`)
  }
}

interface HookParts {
  readonly modules: readonly HookModule[]
  readonly urls?: UrlList
  readonly hashes?: HashList
  readonly digestUrl: UrlDigest
}

function createHooks({ modules, urls, hashes, digestUrl }: HookParts): Hooks {
  const matchOf = (image: ImageRef, list: string): SampleError => {
    const name = image.kind === 'url' ? image.url : image.kind === 'file' ? image.path : undefined
    return new SampleError('blocklist_hash', `list ${list}`, {
      time: new Date().toISOString(),
      ...(name !== undefined && { urlDigest: digestUrl(name) }),
    })
  }
  return {
    wantsPixels: modules.some(({ afterDecode }) => afterDecode !== undefined),
    beforeFetch: async (image, caption) => {
      if (modules.length === 0) return
      const { url } = urlOf(image)
      const host = url !== undefined && URL.canParse(url) ? { host: new URL(url).hostname } : {}
      const row = { ...urlOf(image), ...host, caption }
      await decide(modules, { point: 'beforeFetch', call: (hooks) => hooks.beforeFetch?.(row) })
    },
    checkUrl: (url) => {
      if (urls?.has(url) !== true) return
      throw new SampleError('blocklist_url', `list ${urls.name}`, { host: url.hostname })
    },
    onBytes: async (image, bytes) => {
      if (hashes?.has(bytes) === true) throw matchOf(image, hashes.name)
      if (!modules.some((module) => module.onBytes !== undefined)) return
      const received = { ...urlOf(image), bytes, sha256: sha256(bytes) }
      await decide(modules, {
        point: 'onBytes',
        call: (hooks) => hooks.onBytes?.(received),
        onMatch: (list) => matchOf(image, list),
      })
    },
    afterDecode: async (image, ref) => {
      const decoded = { ...urlOf(ref), ...image }
      await decide(modules, { point: 'afterDecode', call: (hooks) => hooks.afterDecode?.(decoded) })
    },
  }
}

function urlOf(image: ImageRef): { readonly url?: string } {
  return image.kind === 'url' ? { url: image.url } : {}
}
