import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { startTestNetwork, type TestNetwork, until } from '../testing/test-network.ts'

const MB = 1024 * 1024
let network: TestNetwork
before(async () => {
  network = await startTestNetwork({ config: { limits: { maxOutgoingBytes: 13 * MB } } })
  await network.worker(async ({ function: name, frame, send }) => {
    const body = Buffer.alloc(6 * MB, 'x')
    if (name === 'whole') return { body }
    send({ type: 'head', id: frame.id, httpStatus: 200, headers: [['content-type', 'text/plain']] })
    for (let at = 0; at < body.length; at += MB)
      send({ type: 'chunk', id: frame.id, bytes: body.subarray(at, at + MB) })
    return { body }
  })
  await network.deploy('shop', [
    { name: 'whole', routes: [{ path: '/whole' }] },
    { name: 'stream', routes: [{ path: '/stream' }] },
  ])
})
after(() => network?.stop())

/** A client that reads the beginning of an answer and nothing more. */
async function slowReader(path: string): Promise<Socket> {
  const { port, hostname, pathname } = new URL(network.url('shop', path))
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  socket.write(`GET ${pathname} HTTP/1.1\r\nhost: x\r\n\r\n`)
  await once(socket, 'readable')
  socket.read(1)
  return socket
}

for (const path of ['/whole', '/stream'])
  test(`clients that do not read their answers (${path}) do not fill the memory: the oldest is cut off`, async () => {
    const slow: Socket[] = []
    // What the kernel holds for them is not ours.
    for (let i = 0; i < 6; i++) slow.push(await slowReader(path))
    const [oldest] = slow
    let closed = false
    oldest!.on('close', () => {
      closed = true
    })
    oldest!.resume()
    await until(() => closed, 'the end of the oldest')
    assert.ok(oldest!.bytesRead < 6 * MB, String(oldest!.bytesRead))
    const answer = await fetch(network.url('shop', path))
    assert.equal((await answer.arrayBuffer()).byteLength, 6 * MB)
    for (const socket of slow) socket.destroy()
  })
