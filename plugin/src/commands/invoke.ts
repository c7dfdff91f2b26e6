import { PeerHostError } from '@peerhost/protocol'
import { openNetwork } from '../deploy/connect-network.ts'
import { refusalOf } from '../deploy/gateway-client.ts'
import type { PeerHostProvider } from '../provider.ts'
import type { CommandPart } from './commands.ts'
import { fetchLogs, logLines } from './logs.ts'
import { readEvent, showResult } from './read-event.ts'

/** `serverless invoke -f NAME [-d DATA | -p FILE] [--raw] [-l]`: runs the deployed function with an event, as its owner, unpaid. */
export function invokeCommand(provider: PeerHostProvider): CommandPart {
  return { commands: { invoke: {} }, hooks: { 'invoke:invoke': () => invoke(provider) } }
}

async function invoke(provider: PeerHostProvider): Promise<void> {
  const { utils, options } = provider
  const name = provider.functionOption()
  const { project } = provider.config()
  const { gateway, owner } = openNetwork(provider.networkOptions())
  const target = `${owner}/${project}/${name}`
  const response = await gateway.call('POST', `/invoke/${target}`, Buffer.from(await readEvent(provider)), {
    'content-type': 'application/json',
  })
  const body = await response.text()
  const code = response.headers.get('peerhost-error')
  if (!response.ok && code !== 'PH_RUN_THREW') throw refusalOf(response.status, body)
  utils.writeText(showResult(body))
  if (options.log) {
    const { records } = await fetchLogs(gateway, target, { limit: 1 })
    for (const line of records.flatMap((record) => logLines(record))) utils.log.notice(line)
  }
  if (!response.ok) {
    const { errorType, errorMessage } = JSON.parse(body) as { errorType?: string; errorMessage?: string }
    throw new PeerHostError('PH_RUN_THREW', { detail: [errorType, errorMessage].filter(Boolean).join(': ') })
  }
}
