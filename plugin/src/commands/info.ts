import { openNetwork } from '../deploy/connect-network.ts'
import { endpointLines, endpointsOf, formatPrice, projectUrl } from '../format.ts'
import type { PeerHostProvider } from '../provider.ts'
import type { CommandPart } from './commands.ts'

/** `serverless info`: what the gateway serves of this service now. */
export function infoCommand(provider: PeerHostProvider): CommandPart {
  return {
    commands: { info: { options: { json: { usage: 'Print as JSON', type: 'boolean' } } } },
    hooks: { 'info:info': () => info(provider) },
  }
}

async function info(provider: PeerHostProvider): Promise<void> {
  const { serverless, utils } = provider
  const { project, functions, stage } = provider.config()
  const { network, gateway, owner } = openNetwork(provider.networkOptions())
  const served = await gateway.services(owner, project)
  const base = projectUrl(network.gatewayUrl, owner, project)
  const deployed = functions.filter(({ name }) => served.has(name))
  if (provider.options.json) {
    const list = deployed.map(({ name, routes }) => ({
      ...served.get(name),
      endpoints: endpointsOf(base, [{ name, routes }]),
    }))
    utils.writeText(
      JSON.stringify({
        service: serverless.service.service,
        stage,
        network: network.info.name,
        owner,
        project,
        url: base,
        functions: list,
      }),
    )
    return
  }
  const stack = `${serverless.service.service}-${stage}`
  const lines = [
    `service: ${serverless.service.service}`,
    `stage: ${stage}`,
    `network: ${network.info.name}`,
    `stack: ${stack}`,
    `owner: ${owner}`,
  ]
  lines.push(...endpointLines(endpointsOf(base, deployed)))
  if (functions.length > 0) lines.push('functions:')
  for (const { name } of functions) {
    const current = served.get(name)
    lines.push(
      `  ${name}: ${stack}-${name}${current ? `\n    price: ${formatPrice(current.price)}, version: ${current.version}` : ' (not deployed)'}`,
    )
  }
  utils.writeText(lines)
}
