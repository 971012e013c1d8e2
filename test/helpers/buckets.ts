import { bucketNames, type BucketName } from '../../src/tenant/state/plans.ts';

/** The same number for each of the tenant's nine buckets. */
export const everyBucket = (limit: number): Record<BucketName, number> =>
  Object.fromEntries(bucketNames.map((name) => [name, limit])) as Record<BucketName, number>;
