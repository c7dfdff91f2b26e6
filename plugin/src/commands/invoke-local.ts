import { randomBytes } from 'node:crypto'
import { PeerHostError, toHex, ZERO_ADDRESS } from '@peerhost/protocol'
import { openLocalSandbox } from '../deploy/local-sandbox.ts'
import { asSandboxFunction } from '../deploy/prove-functions.ts'
import type { PeerHostProvider } from '../provider.ts'
import type { CommandPart } from './commands.ts'
import type { PackageCommand } from './package.ts'
import { readEvent, showResult } from './read-event.ts'

/** `serverless invoke local -f NAME`: bundles the function and runs it in the jail that workers use, on this machine. */
export function invokeLocalCommand(provider: PeerHostProvider, packaging: PackageCommand): CommandPart {
  return {
    commands: { invoke: { commands: { local: {} } } },
    hooks: { 'invoke:local:invoke': () => invokeLocal(provider, packaging) },
  }
}

/** `--env NAME=value`, given once or several times. */
function environmentOptions(value: unknown): Record<string, string> {
  const pairs = value === undefined ? [] : [value].flat().map(String)
  return Object.fromEntries(pairs.map((pair) => [pair.split('=')[0]!, pair.slice(pair.indexOf('=') + 1)]))
}

async function invokeLocal(provider: PeerHostProvider, packaging: PackageCommand): Promise<void> {
  const { utils, options, steps } = provider
  const name = provider.functionOption()
  const body = Buffer.from(await readEvent(provider))
  const [built] = await packaging.build([name], steps)
  const { entry } = built!
  const environment = { ...entry.environment, ...environmentOptions(options.env) }
  const fn = asSandboxFunction(ZERO_ADDRESS, provider.config().project, { ...built!, entry: { ...entry, environment } })

  const local = await openLocalSandbox({ blankJails: 0, onLog: (line) => utils.log.info(line) })
  if (!('sandbox' in local)) throw local.unavailable
  try {
    const invocation = {
      input: { kind: 'event' as const, body },
      requestHash: toHex(randomBytes(32)),
      clockMs: Date.now(),
    }
    const { status, output, error, logs } = await local.sandbox.execute(fn, invocation)
    const text = Buffer.from(output ?? []).toString()
    if (logs) utils.log.notice(logs.replace(/\n$/, ''))
    if (status <= 1) utils.writeText(showResult(text))
    if (status === 0) return
    if (status === 1) {
      const { errorType, errorMessage } = JSON.parse(text || '{}') as { errorType?: string; errorMessage?: string }
      throw new PeerHostError('PH_RUN_THREW', {
        detail: [errorType, errorMessage].filter(Boolean).join(': ') || (error?.message ?? ''),
      })
    }
    if (status === 2) throw new PeerHostError('PH_RUN_TIMEOUT', { seconds: entry.timeout })
    if (status === 3) throw new PeerHostError('PH_RUN_OUT_OF_MEMORY', { megabytes: entry.memorySize })
    throw new PeerHostError('PH_RUN_REFUSED', { detail: error?.message ?? 'it gives no reason' })
  } finally {
    await local.sandbox.close()
  }
}
