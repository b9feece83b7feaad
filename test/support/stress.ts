/** Whether the long variants of tests run: `npm run stress`. */
export const isStress: boolean = process.env['GANTRY_STRESS'] === '1';
