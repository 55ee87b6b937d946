// A server that answers with raw bytes, so that it can break every rule of HTTP. It runs on
// loopback, records what it was asked, and closes what is left open at the end.

import net from 'node:net'

export interface Asked {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly at: number
}

/** Writes to the socket as it likes; the request's head has been read. */
export type Answer = (socket: net.Socket, asked: Asked) => void

export interface HostileServer {
  readonly port: number
  /** Every request so far, in order. */
  readonly asked: Asked[]
  /** Requests but those for robots.txt and tdmrep.json. */
  paths(): string[]
  /** Sockets accepted so far. */
  connections(): number
  url(path: string, host?: string): string
  close(): Promise<void>
}

/** @param answers by path without query; a path without answer is 404 */
export async function startHostileServer(
  answers: Readonly<Record<string, Answer>>,
  address = '127.0.0.1',
): Promise<HostileServer> {
  const asked: Asked[] = []
  const sockets = new Set<net.Socket>()
  let connections = 0
  const server = net.createServer((socket) => {
    connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
    let buffered = ''
    socket.on('data', (chunk) => {
      buffered += chunk.toString('latin1')
      for (let end = buffered.indexOf('\r\n\r\n'); end >= 0; end = buffered.indexOf('\r\n\r\n')) {
        const request = parseRequest(buffered.slice(0, end))
        buffered = buffered.slice(end + 4)
        asked.push(request)
        const answer =
          answers[request.path.replace(/\?.*$/, '')] ?? respond(404, {}, 'no such page')
        answer(socket, request)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, address, resolve))
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('no port')
  const { port } = bound
  return {
    port,
    asked,
    paths: () =>
      asked
        .map((request) => request.path)
        .filter((path) => path !== '/robots.txt' && path !== '/.well-known/tdmrep.json'),
    connections: () => connections,
    url: (path, host = address) => `http://${host}:${port}${path}`,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => {
          resolve()
        })
      }),
  }
}

function parseRequest(head: string): Asked {
  const [first = '', ...lines] = head.split('\r\n')
  const headers = lines.map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
  })
  return { path: first.split(' ')[1] ?? '', headers: Object.fromEntries(headers), at: Date.now() }
}

type Headers = Readonly<Record<string, string | readonly string[]>>

/** A well-formed answer, with a content-length unless the headers have their own framing. */
export function respond(status: number, headers: Headers, body: string | Uint8Array = ''): Answer {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const framed = 'content-length' in headers || 'transfer-encoding' in headers
  const all: Headers = framed ? headers : { ...headers, 'content-length': String(bytes.length) }
  return raw(Buffer.concat([Buffer.from(head(status, all)), bytes]))
}

export function head(status: number, headers: Headers): string {
  const lines = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value) => `${name}: ${value}\r\n`),
  )
  return `HTTP/1.1 ${status} Status\r\n${lines.join('')}\r\n`
}

/** Exactly these bytes, then silence on the open connection. */
export function raw(bytes: string | Uint8Array): Answer {
  return (socket) => {
    socket.write(bytes)
  }
}

/** Exactly these bytes, then the end of the connection. */
export function rawThenClose(bytes: string | Uint8Array): Answer {
  return (socket) => {
    socket.end(bytes)
  }
}

export function redirect(location: string, status = 302): Answer {
  return respond(status, { location })
}

/** Answers in turn; the last one for ever after. */
export function inTurn(...answers: readonly Answer[]): Answer {
  let count = 0
  return (socket, asked) => {
    const answer = answers[Math.min(count++, answers.length - 1)]
    answer?.(socket, asked)
  }
}

/** A head, then the chunk every `everyMs` until the socket is closed. */
export function drip(headText: string, chunk: string | Uint8Array, everyMs: number): Answer {
  return (socket) => {
    socket.write(headText)
    const timer = setInterval(() => {
      socket.write(chunk)
    }, everyMs)
    socket.on('close', () => {
      clearInterval(timer)
    })
  }
}

/** A head, then bytes as fast as they are taken, without end. */
export function endless(headText: string | Uint8Array, chunk: Uint8Array): Answer {
  return (socket) => {
    socket.write(headText)
    const send = () => {
      while (!socket.destroyed && socket.write(chunk));
    }
    socket.on('drain', send)
    send()
  }
}
