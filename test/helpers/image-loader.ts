import { onTestFinished } from 'vitest'
import { SampleError } from '../../src/core/errors.ts'
import { fetchOptionsSchema, type FetchOptions } from '../../src/ingest/fetch/options.ts'
import { imageOptionsSchema } from '../../src/ingest/image/options.ts'
import type { FetcherDeps } from '../../src/ingest/fetch/fetcher.ts'
import type { Hooks } from '../../src/ingest/fetch/hooks.ts'
import { createImageLoader, type ImageLoader } from '../../src/ingest/image/load.ts'

/** 127.0.0.1 on any port may be asked, nothing else of this machine; retries follow at once. */
export const LOOPBACK = {
  allowAddresses: ['127.0.0.1/32'],
  ports: 'any',
  perHost: 100,
  perHostPerSecond: 0,
  circuitFailures: 1000,
  retryBaseMs: 1,
} as const satisfies Partial<FetchOptions>

/** Closed when the test has finished. */
export function makeLoader(
  over: Partial<FetchOptions> = {},
  deps: FetcherDeps = {},
  hooks?: Hooks,
): ImageLoader {
  const fetch = fetchOptionsSchema.parse({ ...LOOPBACK, ...over })
  const image = imageOptionsSchema.parse({})
  const loader = createImageLoader({ fetch, image }, { ...(hooks && { hooks }), deps })
  onTestFinished(() => loader.close())
  return loader
}

export interface Failure {
  readonly code: string
  readonly message: string
  readonly httpStatus?: number
  readonly host?: string
  readonly attempts?: number
}

/** How loading the URL ends: the error's code and context, or the code "ok". */
export async function outcomeOf(
  loader: ImageLoader,
  url: string,
  signal = new AbortController().signal,
): Promise<Failure> {
  try {
    await loader.load({ image: { kind: 'url', url }, caption: '' }, signal)
    return { code: 'ok', message: '' }
  } catch (error) {
    if (!(error instanceof SampleError)) throw error
    const { httpStatus, host, attempts } = error.context
    return {
      code: error.code,
      message: error.message,
      ...(httpStatus === undefined ? {} : { httpStatus }),
      ...(host === undefined ? {} : { host }),
      ...(attempts === undefined ? {} : { attempts }),
    }
  }
}
