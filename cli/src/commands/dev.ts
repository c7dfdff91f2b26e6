import { resolve } from 'node:path'
import { toPeerHostError } from '@peerhost/protocol'
import { onParentDeath } from '../dev/ancestors.ts'
import { startDevNetwork } from '../dev/dev-network.ts'

export interface DevOptions {
  port: number
  workers: number
  blockTime: number
  data: string
  fresh?: boolean
  json?: boolean
  verbose?: boolean
}

/** `peerhost dev`: the embedded network in the foreground, until Ctrl-C, TERM, HUP or the death of its parent. */
export async function dev(options: DevOptions): Promise<void> {
  const dataDir = resolve(options.data)
  const event = (name: string, fields: object) =>
    process.stdout.write(`${JSON.stringify({ event: name, ...fields })}\n`)
  const note = (text: string) => process.stderr.write(`${text}\n`)

  const stopped = Promise.withResolvers<void>()
  let stop: (() => Promise<void>) | undefined
  let asked = false
  const end = () => {
    asked = true
    if (stop) void stop().then(stopped.resolve)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end)
  onParentDeath(end)
  process.stdout.on('error', end)

  const network = await startDevNetwork({
    port: options.port,
    workers: options.workers,
    blockTime: options.blockTime,
    dataDir,
    fresh: options.fresh,
    onLog(who, level, message) {
      if (level !== 'info' || options.verbose) note(`${who}: ${message}`)
    },
    onStep(step, ms) {
      if (options.json) event('step', { step, ms: Math.round(ms) })
      else note(`  ${step} (${(ms / 1000).toFixed(1)} s)`)
    },
  })
  stop = network.stop
  if (asked) {
    end()
    return stopped.promise
  }

  const { gatewayUrl, rpcUrl, chainId, accounts } = network.network
  if (options.json) event('ready', { network: network.file, gatewayUrl, rpcUrl, chainId })
  else {
    process.stdout.write(`PeerHost is ready: ${gatewayUrl}\n`)
    note(`  chain      ${rpcUrl} (chain id ${chainId})`)
    note(`  developer  ${accounts.developer.address}: \`serverless deploy\` uses it here`)
    note(`  payer      ${accounts.payer.address}: \`peerhost call\` pays with it`)
    note(`  network    ${network.file}`)
    note('  Ctrl-C stops all of it')
  }
  void network.broken.then((error) => {
    const { message, hint } = toPeerHostError(error)
    note(`peerhost: ${message}\n  ${hint}`)
    process.exitCode = 1
    end()
  })
  await stopped.promise
}
