import { connectNetwork } from '../deploy/connect-network.ts'
import { type DeployResult, deployService } from '../deploy/deploy-service.ts'
import { selectStore } from '../deploy/select-store.ts'
import { endpointLines, endpointsOf, formatPrice, formatSize, projectUrl } from '../format.ts'
import type { PeerHostProvider } from '../provider.ts'
import type { CommandPart } from './commands.ts'
import type { PackageCommand } from './package.ts'

/** `serverless deploy` and `serverless deploy function -f NAME`. */
export function deployCommand(provider: PeerHostProvider, packaging: PackageCommand): CommandPart {
  return {
    commands: {
      deploy: { options: { json: { usage: 'Print the result as JSON', type: 'boolean' } }, commands: { function: {} } },
    },
    hooks: {
      'before:deploy:function:initialize': () => {
        provider.functionOption()
        provider.warn()
      },
      'deploy:deploy': () => deploy(provider, packaging),
      'deploy:function:deploy': () => deploy(provider, packaging, provider.functionOption()),
    },
  }
}

async function deploy(provider: PeerHostProvider, packaging: PackageCommand, only?: string): Promise<void> {
  const { serverless, utils } = provider
  const { log } = utils
  const { steps } = provider
  const { project } = provider.config()
  const service = serverless.service.service
  const connection = await connectNetwork(provider.networkOptions())
  const { network, gateway, owner } = connection
  try {
    log.notice(
      `Deploying ${only ? `function ${only} of ` : ''}${service} to stage ${provider.getStage()} (${network.info.name})`,
    )
    const functions = only ? await packaging.build([only], steps) : await packaging.built()
    const store = selectStore(process.env, gateway)
    const result = await deployService(connection, {
      project,
      functions,
      store,
      steps,
      retireOthers: !only,
      force: provider.options.force === true,
      onLog: (line) => log.info(line),
    })
    const time = steps.total()
    if (!result.transaction) log.success(`No changes: everything is registered as it is (${time})`)
    else if (only) log.success(`Function ${only} deployed to ${project} (${time})`)
    else log.success(`Service deployed to stack ${service}-${provider.getStage()} (${time})`)
    log.notice(`  ${steps.summary()}`)
    const base = projectUrl(network.gatewayUrl, owner, project)
    if (provider.options.json) utils.writeText(deployJson(result, base, owner, project))
    else utils.writeText(deployLines(result, base, `${service}-${provider.getStage()}`))
  } finally {
    connection.chain.close()
  }
}

/** The lines that Serverless users know, with price, version, class, code and transaction under them. */
function deployLines({ functions, removed, transaction }: DeployResult, base: string, stack: string): string[] {
  const lines = endpointLines(
    endpointsOf(
      base,
      functions.map(({ entry }) => entry),
    ),
  )
  if (functions.length > 0) lines.push('functions:')
  for (const { entry, version, changed } of functions) {
    lines.push(`  ${entry.name}: ${stack}-${entry.name} (${formatSize(entry.size)})`)
    lines.push(
      `    price: ${formatPrice(entry.price)}, version: ${version}${changed ? '' : ' (unchanged)'}, verification: ${entry.verification}`,
    )
    lines.push(`    code: ${entry.bundleCid}`)
  }
  if (removed.length > 0) lines.push(`removed: ${removed.join(', ')}`)
  if (transaction) lines.push(`transaction: ${transaction.hash} (gas ${transaction.gasUsed})`)
  return lines
}

function deployJson(
  { functions, removed, transaction, manifestDigest }: DeployResult,
  base: string,
  owner: string,
  project: string,
): string {
  return JSON.stringify({
    owner,
    project,
    url: base,
    functions: functions.map(({ entry, version, changed }) => ({
      name: entry.name,
      version,
      changed,
      price: entry.price,
      verification: entry.verification,
      bundleCid: entry.bundleCid,
      size: entry.size,
      endpoints: endpointsOf(base, [entry]),
    })),
    removed,
    transaction: transaction?.hash,
    gasUsed: transaction?.gasUsed.toString(),
    manifestDigest,
  })
}
