// One member of the embedded network in a process of its own: `role.ts gateway` or `role.ts worker`. Its configuration,
// which holds a key, comes on standard input as a line of JSON; the end of standard input is the end of the network.
import { createInterface } from 'node:readline'
import { createGateway } from '@peerhost/gateway'
import { toPeerHostError } from '@peerhost/protocol'
import { createWorker } from '@peerhost/worker'
import type { RoleConfig, RoleMessage } from './role-messages.ts'

const say = (message: RoleMessage) => process.stdout.write(`${JSON.stringify(message)}\n`)
const log = (level: 'info' | 'warning' | 'error', message: string) => say({ event: 'log', level, message })

async function start(config: RoleConfig): Promise<() => Promise<void>> {
  if (config.role === 'gateway') {
    const gateway = await createGateway({ ...config.gateway, log })
    say({ event: 'ready', url: gateway.url })
    void gateway.failed.then(() => stop(1))
    return () => gateway.close()
  }
  const worker = await createWorker({ ...config.worker, log })
  await worker.ready()
  say({ event: 'ready' })
  return () => worker.close()
}

let close: (() => Promise<void>) | undefined
let stopping = false
async function stop(code: number): Promise<void> {
  if (stopping) return
  stopping = true
  setTimeout(() => process.exit(1), 8_000).unref() // whatever hangs does not keep the network from ending
  await close?.().catch(() => {})
  process.exit(code)
}

// A terminal sends its signals to the whole group: the network's own process decides when and in what order it ends.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
process.on('SIGTERM', () => void stop(0))
process.stdout.on('error', () => void stop(1))

const lines = createInterface({ input: process.stdin })
lines.once('line', (line) => {
  start(JSON.parse(line) as RoleConfig).then(
    (stopRole) => {
      close = stopRole
      if (stopping) process.exit(0)
    },
    (error: unknown) => {
      const { code, message, hint } = toPeerHostError(error)
      say({ event: 'failed', code, message, hint })
      void stop(1)
    },
  )
})
lines.once('close', () => void stop(0))
