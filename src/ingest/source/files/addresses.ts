// Where a file is, by its name alone: a path on a disk, an address on the web, an object in a store.

import path from 'node:path'
import { ConfigError } from '../../../core/errors.ts'

/** True for what is read over the network. */
export function isRemote(path: string): boolean {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(path)
}

/** The name without a query or a fragment, in lower case: what an ending is looked for in. */
export function bareName(path: string): string {
  return (isRemote(path) && !isS3(path) ? path.replace(/[?#].*$/, '') : path).toLowerCase()
}

/** The folder of a file, or the address that relative addresses in it are relative to. */
export function folderOf(file: string): string {
  return isRemote(file) ? new URL('.', file).href : path.dirname(file)
}

/** The end of a long path, so that a message keeps what comes after it. */
export function shortPath(path: string): string {
  return path.length <= 80 ? path : `…${path.slice(-79)}`
}

/** An object's place. A key is taken as it stands: nothing in it is percent-encoded. */
interface Place {
  readonly bucket: string
  readonly key: string
}

/** True for an address of an object or of what begins with it. */
export function isS3(address: string): boolean {
  return /^s3:\/\//i.test(address)
}

/** @throws ConfigError if the bucket can be none */
export function parseS3(address: string): Place {
  const [, bucket = '', key = ''] = /^s3:\/\/([^/]*)\/?(.*)$/is.exec(address) ?? []
  if (/^[a-z0-9][a-z0-9._-]+[a-z0-9]$/i.test(bucket)) return { bucket, key }
  const given = JSON.stringify(bucket)
  throw new ConfigError(
    `source.files: ${address}: ${given} is no name of a bucket; write s3://bucket/key, with an alias for an access point`,
  )
}

/** The address as the store's own listings have it. @throws ConfigError as parseS3 does */
export function normalS3(address: string): string {
  const { bucket, key } = parseS3(address)
  return `s3://${bucket}/${key}`
}

/** True for what stands for all objects below it. */
export function isS3Folder(address: string): boolean {
  return /^$|\/$/.test(parseS3(address).key)
}
