// An S3 store on this machine: moto, with a proxy in front that counts what is asked and can stand in its way.

import { spawn } from 'node:child_process'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'

export const BUCKET = 'captions'

export interface S3Store {
  /** URL of the proxy. */
  readonly endpoint: string
  /** What the store itself is asked with. */
  readonly client: S3Client
  /** Requests in order: method, path with query, range. */
  readonly asked: string[]
  /** The last request's headers. */
  headers(): http.IncomingHttpHeaders
  /** Answers before the store does; true if it did. Until the next call. */
  trouble(make?: Trouble): void
  put(key: string, body: string | Uint8Array, options?: Partial<PutOptions>): Promise<void>
  stop(): Promise<void>
}

type PutOptions = ConstructorParameters<typeof PutObjectCommand>[0]

export type Trouble = (request: http.IncomingMessage, response: http.ServerResponse) => boolean

/** @param python an interpreter with moto */
export async function startS3(python: string): Promise<S3Store> {
  const moto = spawn(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', '0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const port = await new Promise<number>((resolve, reject) => {
    let said = ''
    moto.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-10_000)
      const found = /Running on http:\/\/127\.0\.0\.1:(\d+)/.exec(said)
      if (found !== null) resolve(Number(found[1]))
    })
    moto.on('error', reject)
    moto.on('exit', () => reject(new Error(`moto ended: ${said}`)))
  })

  const asked: string[] = []
  let headers: http.IncomingHttpHeaders = {}
  let trouble: Trouble = () => false
  const proxy = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.range ?? ''}`.trim())
    headers = request.headers
    if (trouble(request, response)) return
    const { url: path, method } = request
    const onward = http.request(
      { host: '127.0.0.1', port, path, method, headers: request.headers },
      (answer) => {
        // moto closes each connection; a store does not.
        const { connection: _, ...rest } = answer.headers
        response.writeHead(answer.statusCode ?? 500, rest)
        answer.pipe(response)
      },
    )
    onward.on('error', () => response.destroy())
    request.pipe(onward)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))

  const client = new S3Client({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  })
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
  return {
    endpoint: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    client,
    asked,
    headers: () => headers,
    trouble: (make = () => false) => {
      trouble = make
    },
    put: async (key, body, options = {}) => {
      const bytes = Buffer.from(body)
      await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: bytes, ...options }))
    },
    stop: async () => {
      client.destroy()
      proxy.closeAllConnections()
      await new Promise((resolve) => proxy.close(resolve))
      const ended = new Promise((resolve) => moto.on('close', resolve))
      moto.kill()
      await ended
    },
  }
}

/** An error as S3 words it. */
export function s3Error(response: http.ServerResponse, status: number, code: string): boolean {
  response
    .writeHead(status, { 'content-type': 'application/xml' })
    .end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>told ${code}</Message></Error>`)
  return true
}
