import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { test } from 'node:test'
import type { Registry } from '@peerhost/chain'
import { MAX_FRAME } from '@peerhost/protocol'
import { WebSocket, WebSocketServer } from 'ws'
import { startTestNetwork, until } from '../testing/test-network.ts'
import { WorkerPool } from './worker-pool.ts'

/** A pool behind a real WebSocket server, with a registry that knows nobody. */
async function startPool(handshakeMs: number) {
  const registry = { onChange: () => () => {} } as unknown as Registry
  const domain = { chainId: 1, verifyingContract: `0x${'11'.repeat(20)}` as const }
  const pool = new WorkerPool({ registry, domain, gateway: `0x${'22'.repeat(20)}`, log: () => {}, handshakeMs })
  const server = createServer()
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME })
  server.on('upgrade', (req, socket, head) => {
    sockets.handleUpgrade(req, socket, head, (webSocket) => void pool.admit(webSocket, socket, 'test'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    pool,
    port,
    stop: () => {
      pool.close()
      server.closeAllConnections()
      server.close()
    },
  }
}

test('a stranger who says nothing is gone after a while, and counts no longer', { timeout: 5_000 }, async () => {
  const { pool, port, stop } = await startPool(100)
  const sockets = Array.from({ length: 16 }, () => new WebSocket(`ws://127.0.0.1:${port}`))
  await Promise.all(sockets.map((socket) => once(socket, 'open')))
  assert.equal(pool.mayIntroduce('test'), false)
  assert.equal(pool.mayIntroduce('another'), true)
  await Promise.all(sockets.map((socket) => once(socket, 'close')))
  await until(() => pool.mayIntroduce('test'))
  stop()
})

test('a stranger who begins a frame as large as a worker’s is cut off', { timeout: 5_000 }, async () => {
  const { port, stop } = await startPool(60_000)
  const socket = connect(port, '127.0.0.1')
  const closed = once(socket, 'close')
  socket.on('error', () => {}) // it may be cut while it writes
  socket.write(
    'GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n' +
      `sec-websocket-version: 13\r\nsec-websocket-key: ${Buffer.alloc(16).toString('base64')}\r\n\r\n`,
  )
  await once(socket, 'data')
  const head = Buffer.alloc(14)
  head.writeUInt8(0x82, 0)
  head.writeUInt8(0xff, 1)
  head.writeBigUInt64BE(BigInt(MAX_FRAME), 2)
  socket.write(Buffer.concat([head, Buffer.alloc(20_000)]))
  await closed
  stop()
})

test('strangers of one source do not keep workers of another out', async () => {
  const network = await startTestNetwork({ config: { trustedProxies: ['127.0.0.1'] } })
  const url = `${network.gateway.url.replace('http', 'ws')}/ws`
  const stranger = (address: string) => new WebSocket(url, { headers: { 'x-forwarded-for': address } })
  const silent = Array.from({ length: 16 }, (_, i) => stranger(`2001:db8::${i + 1}`))
  await Promise.all(silent.map((socket) => once(socket, 'open')))
  const [error] = await once(stranger('2001:db8::77'), 'error')
  assert.match(error.message, /503/)
  const worker = await network.worker(() => ({ body: 'ok' }))
  assert.ok(worker)
  for (const socket of silent) socket.terminate()
  await network.stop()
})
