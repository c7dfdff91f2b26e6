import { createRegistry, deployFunctions, type RegisteredService } from '@peerhost/chain'
import { cidOfDigest, PeerHostError, serviceId } from '@peerhost/protocol'
import { type ChainConnection, connectNetwork } from '../deploy/connect-network.ts'
import { waitUntilServed } from '../deploy/wait-until-served.ts'
import { formatPrice } from '../format.ts'
import type { PeerHostProvider } from '../provider.ts'
import type { CommandPart } from './commands.ts'

/** `serverless deploy list [functions]` and `serverless rollback function -f NAME --function-version N`. */
export function versionCommands(provider: PeerHostProvider): CommandPart {
  return {
    commands: {
      deploy: { commands: { list: { commands: { functions: {} } } } },
      rollback: { commands: { function: {} } },
    },
    hooks: {
      'deploy:list:log': () => list(provider, true),
      'deploy:list:functions:log': () => list(provider, false),
      'rollback:function:rollback': () => rollback(provider),
    },
  }
}

/** Every version of each function of the project, from the chain's own events. */
async function readVersions(
  { chain, network, owner }: ChainConnection,
  project: string,
  names: string[],
): Promise<Map<string, RegisteredService[]>> {
  const { contracts, fromBlock, info } = network
  const registry = await createRegistry({ provider: chain.provider, contracts, finality: info.finality, fromBlock })
  try {
    await registry.sync()
    const versions = new Map<string, RegisteredService[]>()
    for (const name of names) {
      const id = serviceId(owner, project, name)
      const last = registry.service(id)?.version ?? 0
      const all = Array.from({ length: last }, (_, i) => registry.service(id, i + 1)).filter((one) => one !== undefined)
      if (all.length > 0) versions.set(name, all)
    }
    return versions
  } finally {
    await registry.stop()
  }
}

async function withConnection(
  provider: PeerHostProvider,
  work: (connection: ChainConnection) => Promise<void>,
): Promise<void> {
  const connection = await connectNetwork(provider.networkOptions())
  try {
    await work(connection)
  } finally {
    connection.chain.close()
  }
}

const describe = ({ version, spec, retired }: RegisteredService) =>
  retired
    ? `version ${version}: removed`
    : `version ${version}: ${formatPrice(spec.price.toString())}, manifest ${cidOfDigest(spec.manifestDigest)}`

const list = (provider: PeerHostProvider, everyVersion: boolean) =>
  withConnection(provider, async (connection) => {
    const { project, functions } = provider.config()
    const versions = await readVersions(
      connection,
      project,
      functions.map(({ name }) => name),
    )
    if (versions.size === 0) {
      provider.utils.log.notice('No function of this service is deployed')
      return
    }
    const lines: string[] = []
    for (const [name, all] of versions) {
      lines.push(`${name}:`)
      for (const one of everyVersion ? all : all.slice(-1)) lines.push(`  ${describe(one)}`)
    }
    provider.utils.writeText(lines)
  })

/** Registers what an older version was as a new one: its code and manifest are still where they were. */
const rollback = (provider: PeerHostProvider) =>
  withConnection(provider, async (connection) => {
    const { utils, steps } = provider
    const name = provider.functionOption()
    const { project } = provider.config()
    const { network, sender, gateway, owner } = connection
    const wanted = Number(provider.options['function-version'])
    const versions = (await readVersions(connection, project, [name])).get(name) ?? []
    const found = versions.find(({ version }) => version === wanted)
    if (!found || found.retired) {
      const there = versions.filter(({ retired }) => !retired).map(({ version }) => version)
      const detail = `function "${name}" has no version ${provider.options['function-version']} (there are: ${there.join(', ') || 'none'})`
      throw new PeerHostError('PH_CONFIG_INVALID', { detail })
    }
    const transaction = await steps.run('register', `Registering on ${network.info.name}`, async () => {
      const sent = await deployFunctions(sender, network.contracts.ExecutionCoordinator, project, [found.spec])
      return (await sent.wait()).hash
    })
    const { manifestDigest } = found.spec
    const awaited = { manifestDigest, names: [name], removed: [], version: versions.at(-1)!.version + 1 }
    const served = await steps.run('gateway', 'Waiting for the gateway', () =>
      waitUntilServed(gateway, owner, project, awaited),
    )
    utils.log.success(`Function ${name} is as it was in version ${wanted} (${steps.total()})`)
    utils.writeText([`version: ${served.get(name)!.version}`, `transaction: ${transaction}`])
  })
