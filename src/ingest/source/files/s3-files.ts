// Objects in S3 and in stores that speak its protocol, through the AWS SDK: an optional dependency, loaded
// when the first s3:// address is asked for. Endpoint and credentials are the user's own word, so the guard
// of image URLs does not hold; of redirects only those to the region of a bucket are followed.

import { Readable, addAbortSignal } from 'node:stream'
import type { S3Client } from '@aws-sdk/client-s3'
import { ConfigError, InputError, ShardError } from '../../../core/errors.ts'
import type { FetchOptions } from '../../fetch/options.ts'
import type { S3Options } from '../options.ts'
import { DeadlineError, withDeadline } from '../../../system/deadline.ts'
import { parseS3 } from './addresses.ts'
import {
  STALL_MS,
  causeOf,
  createRangedFiles,
  rangeOf,
  totalSize,
  type Ask,
  type RangedFiles,
} from './ranged-files.ts'

/** One request with its retries, up to the body; credentials too, whose helpers may hang. */
const DEADLINE_MS = 120_000

type Sdk = typeof import('@aws-sdk/client-s3')

interface Store {
  readonly sdk: Sdk
  readonly client: S3Client
}

interface Listing {
  readonly prefix: string
  readonly isDeep: boolean
  readonly signal: AbortSignal
}

interface S3Files extends RangedFiles {
  /** As `SourceFiles.listObjects`. */
  list(listing: Listing): AsyncIterable<string>
  close(): Promise<void>
}

/** @param fetch its time-outs and pauses hold here too */
export function createS3Files(options: S3Options, fetch: FetchOptions): S3Files {
  let connected: Promise<Store> | undefined
  /** Answer of the store to one command. @param path named in errors */
  const send = async <T>(
    path: string,
    signal: AbortSignal,
    command: (store: Store, abortSignal: AbortSignal) => Promise<T>,
  ): Promise<T> => {
    const store = await (connected ??= connect(options, fetch))
    try {
      return await withDeadline(DEADLINE_MS, signal, (abortSignal) => command(store, abortSignal))
    } catch (error) {
      signal.throwIfAborted()
      throw toError(path, error)
    }
  }
  const ask: Ask = async ({ path, start, end, etag, signal }) => {
    const { bucket, key } = parseS3(path)
    const asked = { Bucket: bucket, Key: key, IfMatch: etag }
    return send(path, signal, async ({ sdk, client }, abortSignal) => {
      try {
        const get = new sdk.GetObjectCommand({ ...asked, Range: rangeOf(start, end) })
        const { Body, ETag, ContentLength, ContentRange } = await client.send(get, { abortSignal })
        return {
          // In Node the SDK's body is a stream of Node's.
          body: addAbortSignal(signal, Body as Readable),
          description: describe(totalSize(ContentRange, ContentLength), ETag),
          isPartial: ContentRange !== undefined,
          isPastEnd: false,
        }
      } catch (error) {
        if (statusOf(error) !== 416) throw error
        // Of a range behind the end, as every range of an empty object is, the answer has no ETag.
        const head = new sdk.HeadObjectCommand(asked)
        const { ETag, ContentLength } = await client.send(head, { abortSignal })
        return {
          body: Readable.from([]),
          description: describe(totalSize(undefined, ContentLength), ETag),
          isPartial: true,
          isPastEnd: true,
        }
      }
    })
  }
  return {
    ...createRangedFiles(ask, fetch.retryBaseMs),
    list: async function* ({ prefix, isDeep, signal }) {
      const { bucket, key } = parseS3(prefix)
      let next: string | undefined
      do {
        const page = await send(prefix, signal, ({ sdk, client }, abortSignal) => {
          const list = new sdk.ListObjectsV2Command({
            Bucket: bucket,
            Prefix: key,
            Delimiter: isDeep ? undefined : '/',
            ContinuationToken: next,
          })
          return client.send(list, { abortSignal })
        })
        for (const { Key } of page.Contents ?? []) {
          // A key that ends with a slash stands for a folder in the store's web pages.
          if (Key !== undefined && !Key.endsWith('/')) yield `s3://${bucket}/${Key}`
        }
        next = page.NextContinuationToken
      } while (next !== undefined)
    },
    close: async () => {
      const store = await connected?.catch(() => undefined)
      store?.client.destroy()
    },
  }
}

/** @throws InputError without the SDK, ConfigError without a region */
async function connect(options: S3Options, fetch: FetchOptions): Promise<Store> {
  const sdk = await import('@aws-sdk/client-s3').catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) {
      throw error
    }
    throw new InputError(
      'source.files: s3:// needs the AWS SDK, which is not installed: npm install @aws-sdk/client-s3',
      { cause: error },
    )
  })
  const client = new sdk.S3Client({
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.anonymous ? unsigned : {}),
    forcePathStyle: options.forcePathStyle,
    followRegionRedirects: true,
    // Ranges have no checksums to validate, and not every store knows the header that asks for one.
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: fetch.connectTimeoutMs,
      requestTimeout: fetch.headersTimeoutMs,
      throwOnRequestTimeout: true,
      socketTimeout: STALL_MS,
    },
  })
  await client.config.region().catch((error: unknown) => {
    throw new ConfigError(
      'source.s3.region: no region is set; set it, AWS_REGION or the region of your AWS profile',
      { cause: error },
    )
  })
  return { sdk, client }
}

/** The SDK always looks for credentials: here there are empty ones, and nothing is signed with them. */
const unsigned = {
  credentials: { accessKeyId: '', secretAccessKey: '' },
  signer: { sign: async <T>(request: T) => request },
}

function describe(size: number, etag: string | undefined) {
  return { size, ...(etag === undefined ? {} : { etag }) }
}

/** HTTP status of an answer that is an error; undefined if there was no answer. */
function statusOf(error: unknown): number | undefined {
  const { $metadata } = error as { readonly $metadata?: { readonly httpStatusCode?: number } }
  return $metadata?.httpStatusCode
}

/** What went wrong, on what, and what to do; a store's error is told by its code. */
function toError(path: string, error: unknown): Error {
  if (!(error instanceof Error)) return new ShardError(`cannot read ${path}: ${String(error)}`)
  const says = `${error.name}: ${error.message}`
  // What is not there or forbidden stays so; what the credentials lack may be had when they are renewed.
  const input = (text: string) => new InputError(`${path}: ${text}`, { cause: error })
  const shard = (text: string) => new ShardError(`cannot read ${path}: ${text}`, { cause: error })
  const status = statusOf(error)
  if (status === 412) {
    const message = `${path} changed while it was read: its ETag is another one now`
    return new ShardError(message, { cause: error })
  }
  switch (error.name) {
    case 'NoSuchKey':
    case 'NotFound':
      return input('there is no such object; the address of a folder ends with a slash')
    case 'NoSuchBucket':
      return input(
        `there is no bucket ${parseS3(path).bucket}; check its name and source.s3.endpoint`,
      )
    case 'InvalidObjectState':
      return input('the object is archived; restore it, or copy it to another storage class')
    case 'PermanentRedirect':
    case 'AuthorizationHeaderMalformed':
      return input(`the bucket is in another region; set source.s3.region (${says})`)
    case 'InvalidAccessKeyId':
    case 'SignatureDoesNotMatch':
      return shard(
        `the store does not accept the credentials; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (${says})`,
      )
    case 'ExpiredToken':
    case 'ExpiredTokenException':
    case 'InvalidToken':
    case 'TokenRefreshRequired':
      return shard(`the credentials have expired; renew them and repeat the command (${says})`)
    case 'CredentialsProviderError':
    case 'TokenProviderError':
      return shard(
        `no credentials; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or source.s3.anonymous for a public bucket (${says})`,
      )
    case 'RequestTimeTooSkewed':
      return shard(`the clock of this machine is wrong (${says})`)
    case 'SlowDown':
      return shard(
        `the store asks for fewer requests; try later, or raise AWS_MAX_ATTEMPTS (${says})`,
      )
  }
  if (error instanceof DeadlineError) return shard(`no answer in ${error.ms} ms`)
  if (status === undefined) return shard(causeOf(error))
  if (status === 429 || status >= 500) return shard(`HTTP ${status}, ${says}`)
  if (status === 403) {
    return input(
      `access is denied; objects need s3:GetObject, folders and patterns s3:ListBucket, without which an object that is not there is denied too (${says})`,
    )
  }
  return input(`HTTP ${status}, ${says}`)
}
