import { deployFunctions, type RegisteredService, retiredSpec } from '@peerhost/chain'
import { cidOfDigest, PeerHostError, specHash } from '@peerhost/protocol'
import { type ChainConnection, connectNetwork } from '../deploy/connect-network.ts'
import { type Deployment, readHistory } from '../deploy/read-history.ts'
import { waitUntilServed } from '../deploy/wait-until-served.ts'
import { formatPrice } from '../format.ts'
import type { PeerHostProvider } from '../provider.ts'
import type { CommandPart } from './commands.ts'

/** `serverless deploy list [functions]`, `rollback [-t TIMESTAMP]` and `rollback function -f NAME --function-version N`. */
export function versionCommands(provider: PeerHostProvider): CommandPart {
  return {
    commands: {
      deploy: { commands: { list: { commands: { functions: {} } } } },
      rollback: { commands: { function: {} } },
    },
    hooks: {
      'deploy:list:log': () => list(provider, true),
      'deploy:list:functions:log': () => list(provider, false),
      'rollback:rollback': () => rollbackService(provider),
      'rollback:function:rollback': () => rollbackFunction(provider),
    },
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

/** `1700000000000 (2023-11-14T22:13:20.000Z): quote 2, hello removed`. */
const deploymentLine = ({ timestamp, functions }: Deployment) =>
  `  ${timestamp} (${new Date(timestamp).toISOString()}): ${functions
    .map((one) => `${one.function} ${one.retired ? 'removed' : one.version}`)
    .join(', ')}`

const list = (provider: PeerHostProvider, everyVersion: boolean) =>
  withConnection(provider, async (connection) => {
    const { project, functions } = provider.config()
    const { versions, deployments } = await readHistory(connection, project)
    const known = functions.flatMap(({ name }) => (versions.has(name) ? [[name, versions.get(name)!] as const] : []))
    if (known.length === 0) {
      provider.utils.log.notice('No function of this service is deployed')
      return
    }
    const lines = known.flatMap(([name, all]) => [
      `${name}:`,
      ...(everyVersion ? all : all.slice(-1)).map((one) => `  ${describe(one)}`),
    ])
    if (everyVersion) lines.push('deployments:', ...(await deployments()).map(deploymentLine))
    provider.utils.writeText(lines)
  })

/** A past registration that is to be the present one again. */
interface Restored {
  wanted: RegisteredService
  latest: RegisteredService
}

/** Registers what older versions were as new ones: code and manifests are still where they were. */
async function restore(
  provider: PeerHostProvider,
  { network, sender, gateway, owner }: ChainConnection,
  functions: Restored[],
): Promise<{ transaction: string; versions: Map<string, number> }> {
  const { steps } = provider
  const { project } = provider.config()
  const specs = functions.map(({ wanted }) => (wanted.retired ? retiredSpec(wanted.function) : wanted.spec))
  const transaction = await steps.run('register', `Registering on ${network.info.name}`, async () => {
    const sent = await deployFunctions(sender, network.contracts.ExecutionCoordinator, project, specs)
    await sent.wait()
    return sent.hash
  })
  const awaited = {
    functions: functions.flatMap(({ wanted, latest }) =>
      wanted.retired
        ? []
        : [{ name: wanted.function, manifestDigest: wanted.spec.manifestDigest, version: latest.version + 1 }],
    ),
    removed: functions.flatMap(({ wanted }) => (wanted.retired ? [wanted.function] : [])),
  }
  const served = await steps.run('gateway', 'Waiting for the gateway', () =>
    waitUntilServed(gateway, owner, project, awaited),
  )
  return { transaction, versions: new Map(awaited.functions.map(({ name }) => [name, served.get(name)!.version])) }
}

const rollbackFunction = (provider: PeerHostProvider) =>
  withConnection(provider, async (connection) => {
    const { utils, steps } = provider
    const name = provider.functionOption()
    const { project } = provider.config()
    const number = Number(provider.options['function-version'])
    const versions = (await readHistory(connection, project)).versions.get(name) ?? []
    const wanted = versions.find(({ version }) => version === number)
    if (!wanted || wanted.retired) {
      const there = versions.filter(({ retired }) => !retired).map(({ version }) => version)
      const detail = `function "${name}" has no version ${provider.options['function-version']} (there are: ${there.join(', ') || 'none'})`
      throw new PeerHostError('PH_CONFIG_INVALID', { detail })
    }
    const restored = await restore(provider, connection, [{ wanted, latest: versions.at(-1)! }])
    utils.log.success(`Function ${name} is as it was in version ${number} (${steps.total()})`)
    utils.writeText([`version: ${restored.versions.get(name)}`, `transaction: ${restored.transaction}`])
  })

/** The last of a function's versions that a deployment or one before it registered. */
const versionAt = (all: RegisteredService[], block: number): RegisteredService | undefined =>
  all.filter((one) => one.block <= block).at(-1)

/** Every function as a past deployment left it; those that came later are retired. Without `-t` lists the deployments, as on AWS. */
const rollbackService = (provider: PeerHostProvider) =>
  withConnection(provider, async (connection) => {
    const { utils, steps, options } = provider
    const { project } = provider.config()
    const history = await readHistory(connection, project)
    const deployments = await history.deployments()
    if (!options.timestamp) {
      utils.log.notice(
        deployments.length > 0
          ? 'Name one of these deployments: serverless rollback -t TIMESTAMP'
          : 'No function of this service is deployed',
      )
      if (deployments.length > 0) utils.writeText(['deployments:', ...deployments.map(deploymentLine)])
      return
    }
    const text = String(options.timestamp)
    const time = /^\d+$/.test(text) ? Number(text) : Date.parse(text)
    // several blocks may have one second: what the last of them left
    const deployment = deployments.findLast(({ timestamp }) => timestamp === time)
    if (!deployment) {
      const there = deployments.map(({ timestamp }) => timestamp).join(', ') || 'none'
      throw new PeerHostError('PH_CONFIG_INVALID', {
        detail: `there is no deployment of timestamp "${text}" (there are: ${there})`,
      })
    }
    const { block } = deployment.functions[0]!
    const changed = [...history.versions.values()].flatMap((all): Restored[] => {
      const latest = all.at(-1)!
      const wanted = versionAt(all, block) ?? { ...latest, retired: true }
      const isSame = wanted.retired ? latest.retired : specHash(wanted.spec) === specHash(latest.spec)
      return isSame ? [] : [{ wanted, latest }]
    })
    if (changed.length === 0) {
      utils.log.success('No changes: the service is as that deployment left it')
      return
    }
    const { transaction, versions } = await restore(provider, connection, changed)
    utils.log.success(`Service ${project} is as it was at ${new Date(time).toISOString()} (${steps.total()})`)
    utils.writeText([
      ...changed.map(({ wanted }) =>
        wanted.retired
          ? `${wanted.function}: removed`
          : `${wanted.function}: version ${versions.get(wanted.function)}, as in version ${wanted.version}`,
      ),
      `transaction: ${transaction}`,
    ])
  })
