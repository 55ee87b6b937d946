// A web server for the ingest benchmark, in a process of its own: JPEGs of 640 x 480 px on loopback.
// Prints its port as a line of JSON once it answers. argv: distinct images, latency in ms, and the
// share of URLs whose first request fails with 503.

import http from 'node:http'
import sharp from 'sharp'

const [distinct, latencyMs, failing] = process.argv.slice(2).map(Number) as [number, number, number]

const images = await Promise.all(Array.from({ length: distinct }, (_, index) => makeJpeg(index)))
const asked = new Set<number>()
const server = http.createServer((request, response) => {
  const index = Number(/^\/(\d+)\.jpg$/.exec(request.url ?? '')?.[1])
  const isFirst = !asked.has(index)
  asked.add(index)
  setTimeout(() => {
    const image = images[index % images.length]
    if (image === undefined || Number.isNaN(index)) response.writeHead(404).end()
    else if (isFirst && (index * 7919) % 1000 < failing * 1000) response.writeHead(503).end()
    else {
      response.writeHead(200, { 'content-type': 'image/jpeg', 'content-length': image.length })
      response.end(image)
    }
  }, latencyMs)
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const bytes = images.reduce((sum, image) => sum + image.length, 0) / images.length
  process.stdout.write(`${JSON.stringify({ port: address.port, meanBytes: Math.round(bytes) })}\n`)
})

/** Smooth colours with noise: about as many bytes as a photograph has. */
async function makeJpeg(seed: number): Promise<Buffer> {
  let state = seed + 1
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32
  const [width, height] = [160, 120]
  const data = Buffer.from(
    Array.from({ length: width * height * 3 }, (_, at) => {
      const pixel = Math.floor(at / 3)
      const wave = Math.sin(((pixel % width) + seed) / 17) + Math.cos(pixel / width / 13 + (at % 3))
      return 128 + 50 * wave + 40 * (random() - 0.5)
    }),
  )
  return sharp(data, { raw: { width, height, channels: 3 } })
    .resize(640, 480)
    .jpeg({ quality: 90 })
    .toBuffer()
}
