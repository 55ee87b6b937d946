// Files on web servers, by range requests and resumable streams. The addresses stand in the user's
// config, but a redirect or a name may lead anywhere: the guard of image URLs holds here too.

import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request, type Dispatcher } from 'undici'
import { InputError, SampleError, ShardError } from '../../../core/errors.ts'
import { retryOf } from '../../../core/reasons.ts'
import type { FetchOptions } from '../../fetch/options.ts'
import { userAgent } from '../../fetch/fetcher.ts'
import { createAddressRule, localAddresses, parseTarget } from '../../fetch/guard.ts'
import { createResolver } from '../../fetch/resolver.ts'
import { parseRetryAfter } from '../../fetch/retry-after.ts'
import { guardedConnector } from '../../fetch/connector.ts'
import type { FilesDeps, SourceFiles } from './files.ts'
import {
  ATTEMPTS,
  STALL_MS,
  causeOf,
  createRangedFiles,
  totalSize,
  type RangeAnswer,
  type Ask,
  type Range,
} from './ranged-files.ts'

const MAX_PAUSE_MS = 60_000

/** @param options the guard, time-outs and redirects of `fetch:` */
export function createHttpFiles(
  options: FetchOptions,
  deps: FilesDeps = {},
): SourceFiles & { close(): Promise<void> } {
  const rule = createAddressRule({ ...options, ownAddresses: localAddresses() })
  const agent = new Agent({
    connect: guardedConnector({
      connectTimeoutMs: options.connectTimeoutMs,
      rule,
      ca: deps.ca,
      caFile: options.caFile,
      resolve: createResolver({ ...options, rule }, { query: deps.query }),
    }),
    connections: 8,
    pipelining: 1,
    headersTimeout: options.headersTimeoutMs,
    bodyTimeout: STALL_MS,
    keepAliveTimeout: 1_000,
    keepAliveMaxTimeout: 1_000,
  })
  const ask: Ask = (path, range, signal) =>
    askWithRedirects(path, range, signal, {
      agent,
      agentName: userAgent(options.contact),
      target: (url, base) => parseTarget(url, { ports: options.ports, rule, base }),
      maxRedirects: options.maxRedirects,
      allowDowngrade: options.allowDowngrade,
      pauseMs: (attempt) => Math.min(MAX_PAUSE_MS, options.retryBaseMs * 2 ** attempt),
    })
  return {
    ...createRangedFiles(ask, options.retryBaseMs),
    close: () => agent.destroy(),
  }
}

interface AskOptions {
  readonly agent: Agent
  readonly agentName: string
  /** @throws SampleError for what must not be asked */
  readonly target: (url: string, base?: URL) => URL
  readonly maxRedirects: number
  readonly allowDowngrade: boolean
  /** Before the attempt after this one, counted from 1. */
  readonly pauseMs: (attempt: number) => number
}

/** @throws as an Ask does */
async function askWithRedirects(
  path: string,
  range: Range,
  signal: AbortSignal,
  options: AskOptions,
): Promise<RangeAnswer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await askOnce(path, range, signal, options)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof SampleError && retryOf(error.code) === 'never') {
        throw new InputError(`${path}: ${error.code}: ${error.message}`, { cause: error })
      }
      if (error instanceof InputError || error instanceof ShardError) throw error
      if (attempt === ATTEMPTS) {
        throw new ShardError(`cannot read ${path}: ${causeOf(error)}`, { cause: error })
      }
      const asked = error instanceof Busy ? error.retryAfterMs : undefined
      await sleep(Math.min(MAX_PAUSE_MS, asked ?? options.pauseMs(attempt)), undefined, { signal })
    }
  }
}

/** An answer that may be another one later. */
class Busy extends Error {
  readonly retryAfterMs: number | undefined

  constructor(message: string, retryAfterMs: number | undefined) {
    super(message)
    this.retryAfterMs = retryAfterMs
  }
}

async function askOnce(
  path: string,
  range: Range,
  signal: AbortSignal,
  options: AskOptions,
): Promise<RangeAnswer> {
  let url = options.target(path)
  for (let hops = 0; hops <= options.maxRedirects; hops++) {
    const { statusCode, headers, body } = await request(url, {
      dispatcher: options.agent,
      signal,
      headers: {
        'user-agent': options.agentName,
        'accept-encoding': 'identity',
        range: `bytes=${range.start}-${Number.isFinite(range.end) ? range.end - 1 : ''}`,
      },
    })
    const location = headers['location']
    if (statusCode >= 300 && statusCode < 400 && typeof location === 'string') {
      await body.dump()
      const next = options.target(location, url)
      if (url.protocol === 'https:' && next.protocol === 'http:' && !options.allowDowngrade) {
        throw new InputError(`${path}: redirected from https to ${next.href}`)
      }
      url = next
      continue
    }
    if (statusCode === 200 || statusCode === 206 || statusCode === 416) {
      return toAnswer(statusCode, headers, body, path)
    }
    await body.dump()
    const status = `HTTP ${statusCode}`
    if (statusCode === 429 || statusCode >= 500) {
      throw new Busy(status, parseRetryAfter(headers['retry-after'], Date.now()))
    }
    throw new InputError(`${path}: ${status}`)
  }
  throw new InputError(`${path}: more than ${options.maxRedirects} redirects`)
}

function toAnswer(
  status: number,
  headers: Dispatcher.ResponseData['headers'],
  body: Dispatcher.ResponseData['body'],
  path: string,
): RangeAnswer {
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    body.on('error', () => undefined).destroy()
    throw new InputError(`${path}: sent with content-encoding ${String(encoding)}`)
  }
  const contentRange = status === 200 ? undefined : String(headers['content-range'] ?? '')
  const size = totalSize(contentRange, headers['content-length']?.toString())
  const etag = headers['etag'] ?? headers['last-modified']
  return {
    body,
    description: {
      size,
      ...(typeof etag === 'string' ? { etag } : {}),
    },
    isPartial: status !== 200,
    isPastEnd: status === 416,
  }
}
