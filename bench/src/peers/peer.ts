import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Something that is measured beside PeerHost in the same run. */
export interface Peer {
  name: string
  /** Base address, no slash at the end. */
  url: string
  close(): Promise<void>
}

const START_MS = 10_000

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as { port: number }
  await new Promise((done) => server.close(done))
  return port
}

/** Starts a server and waits until it answers. */
export async function startPeer(
  name: string,
  port: number,
  path: string,
  command: string,
  args: string[],
): Promise<Peer> {
  const child: ChildProcess = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env: {} })
  const ended = new Promise<void>((done) => child.once('close', () => done()).once('error', () => done()))
  const url = `http://127.0.0.1:${port}`
  const deadline = performance.now() + START_MS
  for (;;) {
    try {
      if ((await fetch(url + path)).ok) break
    } catch {}
    if (performance.now() > deadline || child.exitCode !== null) {
      child.kill()
      throw new Error(`${name} does not answer at ${url}${path}`)
    }
    await sleep(20)
  }
  return {
    name,
    url,
    async close() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
