/* xielu, the expanded integral of ELU, and its derivatives: with q(x) = e^x - 1, G(x) = e^x - 1 - x, b = alpha_n - beta,
 *
 *     xielu   = x (alpha_p x + beta) for x > 0,       alpha_n G(x) + beta x = alpha_n q(x) - b x for x <= 0
 *     xielu'  = 2 alpha_p x + beta for x > 0,         alpha_n q(x) + beta   = alpha_n e^x - b    for x <= 0
 *     xielu"  = 2 alpha_p for x > 0,                  alpha_n e^x                                for x <= 0
 *
 * all parameters in 0 ... 1e10. Only where alpha_n > beta > 0 is there a cancellation: f' has a zero z < 0, f one, r, left of it.
 * Both move with the parameters. So seen from a double x0 near such a zero, where f or f' is a small c, with t = x - x0 and A =
 * alpha_n e^x0,
 *
 *     f'(x) = c + A q(t)                              x0 near z
 *     f(x)  = c + D t + A G(t),  D = f'(x0)           x0 near r
 *
 * The first serves for all x <= 0. In the second, D < 0 and A, G > 0, so nothing cancels for x < r; it serves for x <= r / 2,
 * and to the right of that the definition does, in the form with G above -1 and with q below. Two terms are then at most three
 * times their sum.
 *
 * c comes in triple-double from e^x0, q and G at x0, good to 2^-120 of what f or f' is a distance |x0| away: it has 50 bits at
 * the double nearest to the zero, but for one set of parameters in 2^16, where that double is nearer than 2^-70 |x0|. x0 need
 * only be so near that c + A t does not cancel more bits than t and A have: it is to 2^-37. All that depends on the parameters
 * alone: it is made before the loop, as CONSTANTS of the row.
 *
 * Above -2^-120, e^x is 1 + x + x^2 / 2 to 2^-240, and f a parabola there as it is right of 0.
 *
 * xielu(+-0) = +0. f_53: for parameters that are 0 or at least 2^-500; error < 0.6 ULP, but < 1.5 ULP of a subnormal and
 * below -2^900. */
#ifndef RL_MATH_XIELU_H
#define RL_MATH_XIELU_H

#include "math/growth.h"
#include "math/logarithm.h"
#include "math/triple_double.h"

/* ---- q and G ---- */

typedef struct rl_bend_24 {
    double q, G;
} rl_bend_24;

/* Where n != 0, that is beyond ln 2 / 2, G = q - t has lost 3 bits at most. Relative errors < 2^-40 and, of G, 2^-37.9. */
RL_INLINE rl_bend_24 rl_bend_of_24(double t)
{
    const double bounded = t < -0x1p200 ? -0x1p200 : t;
    const rl_exp_parts_24 e = rl_exp_apart_24(bounded);
    const double q = rl_madd(e.power, e.p, e.power - 1);
    return (rl_bend_24){q, e.power == 1 ? e.rest : q - bounded};
}

typedef struct rl_bend_53 {
    rl_double_double q, G;
} rl_bend_53;

/* G = r^2 / 2 + r^3 / 6 + r^4 Q(r), |r| <= ln 2 / 2, with Q the polynomial of degree 9 that gives G to 2^-61.8. The last term,
 * in plain double, is 0.012 of G at most, of which it loses 0.04 2^-53. */
RL_INLINE rl_double_double rl_bend_near_53(rl_double_double r)
{
    const rl_double_double sixth = {0x1.5555555555555p-3, 0x1.5555555555555p-57};
    const rl_double_double square = rl_dd_multiply(r, r), cube = rl_dd_multiply(rl_dd_multiply(square, r), sixth);
    double Q = 0x1.61ade794feccbp-33;
    Q = rl_madd(Q, r.hi, 0x1.1f590a4491d30p-29);
    Q = rl_madd(Q, r.hi, 0x1.ae6437c9388ecp-26);
    Q = rl_madd(Q, r.hi, 0x1.27e4e96e18fc9p-22);
    Q = rl_madd(Q, r.hi, 0x1.71de3a5822d68p-19);
    Q = rl_madd(Q, r.hi, 0x1.a01a01a1c9a72p-16);
    Q = rl_madd(Q, r.hi, 0x1.a01a01a019e07p-13);
    Q = rl_madd(Q, r.hi, 0x1.6c16c16c16da1p-10);
    Q = rl_madd(Q, r.hi, 0x1.1111111111111p-7);
    Q = rl_madd(Q, r.hi, 0x1.5555555555555p-5);
    const rl_double_double sum = rl_dd_add_double(0.5 * square.hi, cube);
    return rl_fast_two_sum(sum.hi, rl_madd(square.hi * square.hi, Q, sum.lo + 0.5 * square.lo));
}

/* -2^960 < t. Relative errors < 0.05 2^-53 and, of G, 0.1 2^-53. Above 600, t counts as 600: for what is multiplied by 0. */
RL_INLINE rl_bend_53 rl_bend_of_53(rl_double_double t)
{
    const bool beyond = t.hi > 600;
    const rl_double_double bounded = {beyond ? 600 : t.hi, beyond ? 0 : t.lo};
    const rl_exp_reduced_53 reduced = rl_exp_reduce_53(bounded.hi, bounded.lo);
    const rl_double_double near = rl_bend_near_53(reduced.r), p = rl_dd_add(reduced.r, near);
    const double power = rl_power_of_two(reduced.n < -200 ? -200 : reduced.n);
    const rl_double_double rest = rl_two_sum(power, -1), sum = rl_two_sum(rest.hi, p.hi * power);
    const rl_double_double q = rl_fast_two_sum(sum.hi, sum.lo + (rest.lo + p.lo * power));
    const rl_double_double far = rl_dd_add(q, rl_dd_scale(bounded, -1));
    return (rl_bend_53){q, rl_dd_choose(reduced.n == 0, near, far)};
}

/* ---- The same at x0, a constant, in triple-double ---- */

typedef struct rl_bend_exact {
    rl_triple_double q, G;
} rl_bend_exact;

/* At 2 x, from those at x. */
RL_INLINE rl_bend_exact rl_bend_doubled(rl_bend_exact at)
{
    const rl_triple_double square = rl_td_square(at.q);
    return (rl_bend_exact){rl_td_add(rl_td_scale(at.q, 2), square), rl_td_add(rl_td_scale(at.G, 2), square)};
}

RL_INLINE rl_bend_exact rl_bend_by_16(rl_bend_exact at)
{
    return rl_bend_doubled(rl_bend_doubled(rl_bend_doubled(rl_bend_doubled(at))));
}

/* At |s| <= 2^-5: G = s^2 / 2 + s^3 / 6 K(s), the first term exact, the second good to 2^-104 of itself. */
RL_INLINE rl_bend_exact rl_bend_series(double s)
{
    static const rl_double_double a[] = {{0x1.999999999999ap-5, -0x1.999999999999ap-59},
                                         {0x1.1111111111111p-7, 0x1.1111111111111p-63},
                                         {0x1.3813813813814p-10, -0x1.fb1fb1fb1fb20p-64},
                                         {0x1.3813813813814p-13, -0x1.fb1fb1fb1fb20p-67},
                                         {0x1.1566abc011567p-16, -0x1.50ffbaa655100p-70}};
    const rl_double_double x = {s, 0}, one = {1, 0}, quarter = {0.25, 0};
    const rl_double_double sixth = {0x1.5555555555555p-3, 0x1.5555555555555p-57};
    double tail = 0x1.2eb177e905d76p-34;
    tail = rl_madd(tail, s, 0x1.08db48ebe51c7p-30);
    tail = rl_madd(tail, s, 0x1.ae64567f544e4p-27);
    tail = rl_madd(tail, s, 0x1.42cb40df7f3abp-23);
    tail = rl_madd(tail, s, 0x1.bbd779334ef0bp-20);
    rl_double_double K = rl_dd_madd((rl_double_double){tail, 0}, x, a[4]);
    K = rl_dd_madd(K, x, a[3]);
    K = rl_dd_madd(K, x, a[2]);
    K = rl_dd_madd(K, x, a[1]);
    K = rl_dd_madd(K, x, a[0]);
    K = rl_dd_madd(rl_dd_madd(K, x, quarter), x, one);
    const rl_double_double square = rl_two_product(s, s);
    const rl_double_double cube = rl_dd_multiply(rl_dd_multiply(rl_dd_multiply(square, x), sixth), K);
    const rl_double_double high = rl_two_sum(0.5 * square.hi, cube.hi), low = rl_two_sum(high.lo, 0.5 * square.lo);
    const rl_triple_double G = rl_td_normalise(high.hi, low.hi, low.lo + cube.lo);
    return (rl_bend_exact){rl_td_add_double(G, s), G};
}

/* e^x too, for -745 <= x <= 0: (1 + q(x / 256))^256, not 1 + q(x), so that it is good to 2^-108 of itself above -100 and to
 * 2^-60 elsewhere. q and G are for x >= -1, where they are good to 2^-120. */
typedef struct rl_growth_exact {
    rl_triple_double power;
    rl_bend_exact bend;
} rl_growth_exact;

RL_INLINE rl_triple_double rl_td_power_16(rl_triple_double a)
{
    return rl_td_square(rl_td_square(rl_td_square(rl_td_square(a))));
}

RL_INLINE rl_growth_exact rl_growth_exact_of(double x)
{
    const rl_bend_exact first = rl_bend_by_16(rl_bend_series(0x1p-12 * x));
    return (rl_growth_exact){rl_td_power_16(rl_td_power_16(rl_td_add_double(first.q, 1))), rl_bend_by_16(rl_bend_by_16(first))};
}

RL_INLINE rl_triple_double rl_td_of(rl_double_double a)
{
    return (rl_triple_double){a.hi, a.lo, 0};
}

/* ---- Around the zero of f' ---- */

typedef struct rl_xielu_turn {
    double z;
    rl_double_double c, A; /* where f' has no zero, z is 0 and f' = c + A e^x */
} rl_xielu_turn;

RL_INLINE rl_xielu_turn rl_xielu_turn_of(double alpha_n, double beta)
{
    const rl_double_double minus_b = rl_two_sum(beta, -alpha_n);
    const double z = alpha_n > beta ? -rl_log1p_any_24(beta / -minus_b.hi) : 0;
    const rl_growth_exact at = rl_growth_exact_of(z);
    const rl_triple_double A = rl_td_times(at.power, alpha_n);
    const rl_triple_double near = rl_td_add_double(rl_td_times(at.bend.q, alpha_n), beta);
    const rl_double_double c = rl_td_round(rl_td_choose(z > -1, near, rl_td_add(A, rl_td_of(minus_b))));
    return (rl_xielu_turn){z, rl_dd_choose(alpha_n > beta, c, minus_b), rl_td_round(A)};
}

#define RL_XIELU_TURN_SIZE 5

RL_INLINE void rl_xielu_turn_store(rl_xielu_turn at, double *to)
{
    to[0] = at.z;
    to[1] = at.c.hi, to[2] = at.c.lo;
    to[3] = at.A.hi, to[4] = at.A.lo;
}

RL_INLINE rl_xielu_turn rl_xielu_turn_load(const double *from)
{
    return (rl_xielu_turn){from[0], {from[1], from[2]}, {from[3], from[4]}};
}

/* ---- Around the zero of f ---- */

typedef struct rl_xielu_root {
    double r;
    rl_double_double c, D, A;
} rl_xielu_root;

/* A step of Newton's: f(r) / alpha_n = G(r) + k r = q(r) - m r, with k = beta / alpha_n, m = b / alpha_n. */
RL_INLINE double rl_xielu_root_step(double r, double k, double m)
{
    const rl_bend_24 e = rl_bend_of_24(r);
    return r - (r < -1 ? rl_madd(-m, r, e.q) : rl_madd(k, r, e.G)) / (r < -1 ? 1 - m + e.q : k + e.q);
}

/* r, or 0 where f has no zero. -k (2 - k (2 + k) / 3) / m is off by 2 % at most; three steps leave the error of G, 2^-37. */
RL_INLINE double rl_xielu_root_near(double alpha_n, double beta)
{
    const double k = beta / alpha_n, m = (alpha_n - beta) / alpha_n, first = -k * (2 - k * (2 + k) * (1.0 / 3)) / m;
    const double last = rl_xielu_root_step(rl_xielu_root_step(rl_xielu_root_step(first, k, m), k, m), k, m);
    return ((alpha_n > beta) & (k > 0)) ? last : 0;
}

/* Below -1, c is alpha_n e^r and, exactly, -alpha_n - b r, which may be 0. */
RL_INLINE rl_xielu_root rl_xielu_root_of(double alpha_n, double beta)
{
    const double r = rl_xielu_root_near(alpha_n, beta);
    const bool far = r < -1, vanished = r < -745;
    const rl_triple_double minus_b = rl_td_of(rl_two_sum(beta, -alpha_n)), none = {0, 0, 0};
    const rl_growth_exact at = rl_growth_exact_of(vanished ? 0 : r);
    const rl_triple_double A = rl_td_choose(vanished, none, rl_td_times(at.power, alpha_n));
    const rl_triple_double far_c = rl_td_add(A, rl_td_add_double(rl_td_times(minus_b, r), -alpha_n));
    const rl_double_double line = rl_two_product(beta, r);
    const rl_triple_double near_c = rl_td_add(rl_td_times(at.bend.G, alpha_n), rl_td_of(line));
    const rl_triple_double near_D = rl_td_add_double(rl_td_times(at.bend.q, alpha_n), beta);
    return (rl_xielu_root){
        .r = r,
        .c = rl_td_round(rl_td_choose(far, far_c, near_c)),
        .D = rl_td_round(rl_td_choose(far, rl_td_add(A, minus_b), near_D)),
        .A = rl_td_round(A),
    };
}

#define RL_XIELU_ROOT_SIZE 7

RL_INLINE void rl_xielu_root_store(rl_xielu_root at, double *to)
{
    to[0] = at.r;
    to[1] = at.c.hi, to[2] = at.c.lo;
    to[3] = at.D.hi, to[4] = at.D.lo;
    to[5] = at.A.hi, to[6] = at.A.lo;
}

RL_INLINE rl_xielu_root rl_xielu_root_load(const double *from)
{
    return (rl_xielu_root){from[0], {from[1], from[2]}, {from[3], from[4]}, {from[5], from[6]}};
}

/* ---- A parabola, for x > -2^-120 ---- */

/* x (a x + beta). */
RL_INLINE double rl_xielu_parabola_24(double x, double a, double beta)
{
    const rl_double_double product = rl_two_product(a, x > 0x1p200 ? 0x1p200 : x);
    return rl_times((product.hi + beta) + product.lo, x);
}

/* Where x > 1, of 2^-100 x: a product past 2^900 is then infinite. */
RL_INLINE double rl_xielu_parabola_53(double x, double a, double beta)
{
    const double scale = x > 1 ? 0x1p-100 : 1, back = x > 1 ? 0x1p200 : 1, t = x * scale;
    const rl_double_double product = rl_two_product(a, t), sum = rl_two_sum(product.hi, beta * scale);
    const double low = rl_magnitude(product.hi) > 0x1p-900 ? product.lo : 0, plain = sum.hi * t;
    const rl_double_double factor = rl_fast_two_sum(sum.hi, sum.lo + low);
    const double exact = rl_copy_sign(rl_dd_times(factor, t), factor.hi * t); /* the sign of what underflows, too */
    const double limit = rl_times(rl_times(a, x) + beta, x);
    return x > 0x1.fffffffffffffp1023 ? limit : (plain < 0x1p900 ? exact : plain) * back;
}

/* 2 a x + beta, its derivative. */
RL_INLINE double rl_xielu_parabola_d1(double x, double a, double beta)
{
    const rl_double_double product = rl_two_product(2 * a, x), sum = rl_two_sum(product.hi, beta);
    const double low = rl_magnitude(product.hi) > 0x1p-900 ? product.lo : 0;
    return ((x < 0x1p900) & (product.hi < 0x1p900)) ? sum.hi + (sum.lo + low) : rl_times(2 * a, x) + beta;
}

/* ---- xielu ---- */

/* Relative error < 2^-36. */
RL_INLINE double rl_xielu_24(double x, double alpha_p, double alpha_n, double beta, rl_xielu_root at)
{
    const bool from_root = (alpha_n > beta) & (x <= 0.5 * at.r), by_q = (alpha_n <= beta) | ((x <= -1) & !from_root);
    const double t = x - (from_root ? at.r : 0);
    const rl_bend_24 e = rl_bend_of_24(t);
    const double line = rl_times(by_q ? beta - alpha_n : from_root ? at.D.hi : beta, t) + (from_root ? at.c.hi : 0);
    const double left = rl_madd(from_root ? at.A.hi : alpha_n, by_q ? e.q : e.G, line);
    const double right = rl_xielu_parabola_24(x, x > 0 ? alpha_p : 0.5 * alpha_n, beta);
    return x == 0 ? 0 : x > -0x1p-120 ? right : left;
}

RL_INLINE double rl_xielu_53(double x, double alpha_p, double alpha_n, double beta, rl_xielu_root at)
{
    const bool from_root = (alpha_n > beta) & (x <= 0.5 * at.r), by_q = (alpha_n <= beta) | ((x <= -1) & !from_root);
    const rl_double_double b = rl_two_sum(beta, -alpha_n), none = {0, 0};
    const rl_double_double t = rl_two_sum(x < -0x1p900 ? -0x1p900 : x, from_root ? -at.r : 0);
    const rl_double_double slope = rl_dd_choose(by_q, b, rl_dd_choose(from_root, at.D, (rl_double_double){beta, 0}));
    const rl_bend_53 e = rl_bend_of_53(t);
    const rl_double_double line = rl_dd_add(rl_dd_choose(from_root, at.c, none), rl_dd_multiply(slope, t));
    const rl_double_double A = rl_dd_choose(from_root, at.A, (rl_double_double){alpha_n, 0});
    const double left = rl_dd_add(line, rl_dd_multiply(A, rl_dd_choose(by_q, e.q, e.G))).hi;
    const double far = rl_times(b.hi, x) - alpha_n;
    const double right = rl_xielu_parabola_53(x, x > 0 ? alpha_p : 0.5 * alpha_n, beta);
    return x == 0 ? 0 : x > -0x1p-120 ? right : x < -0x1p900 ? far : left;
}

/* Relative error < 2^-38. */
RL_INLINE double rl_xielu_d1_24(double x, double alpha_p, double alpha_n, double beta, rl_xielu_turn at)
{
    const rl_exp_parts_24 e = rl_exp_apart_24(x - at.z);
    const double growth = rl_madd(e.power, e.p, e.power - (alpha_n > beta ? 1 : 0));
    const double left = rl_madd(at.A.hi, growth, at.c.hi);
    const double right = rl_xielu_parabola_d1(x, x > 0 ? alpha_p : 0.5 * alpha_n, beta);
    return x > -0x1p-120 ? right : left;
}

/* Where alpha_n = beta, f' is alpha_n e^x, which may be subnormal. */
RL_INLINE double rl_xielu_d1_53(double x, double alpha_p, double alpha_n, double beta, rl_xielu_turn at)
{
    const rl_double_double t = rl_two_sum(x < -2000 ? -2000 : x, -at.z);
    const rl_exp_parts_53 e = rl_exp_apart_low_53(t.hi, t.lo);
    const double power = rl_power_of_two(e.n < -200 ? -200 : e.n);
    const rl_double_double rest = rl_two_sum(power, alpha_n > beta ? -1 : 0), sum = rl_two_sum(rest.hi, e.p.hi * power);
    const rl_double_double growth = rl_fast_two_sum(sum.hi, sum.lo + (rest.lo + e.p.lo * power));
    const double main = rl_dd_add(at.c, rl_dd_multiply(at.A, growth)).hi;
    const double tail = rl_scale(rl_dd_times(rl_dd_add_double(1, e.p), alpha_n), e.n);
    const double right = rl_xielu_parabola_d1(x, x > 0 ? alpha_p : 0.5 * alpha_n, beta);
    return x > -0x1p-120 ? right : alpha_n == beta ? tail : main;
}

/* The least value, f(z). */
RL_INLINE double rl_xielu_minimum(double alpha_n, double beta)
{
    return rl_xielu_53(rl_xielu_turn_of(alpha_n, beta).z, 0, alpha_n, beta, rl_xielu_root_of(alpha_n, beta));
}

/* df / dalpha_n for x <= 0: G. */
RL_INLINE double rl_xielu_by_alpha_n_24(double x)
{
    return rl_bend_of_24(x).G;
}

RL_INLINE double rl_xielu_by_alpha_n_53(double x)
{
    const rl_double_double t = {x, 0};
    return x < -0x1p900 ? -x : rl_bend_of_53(t).G.hi;
}

/* Its derivative: q. */
RL_INLINE double rl_xielu_d1_by_alpha_n_24(double x)
{
    return rl_bend_of_24(x).q;
}

RL_INLINE double rl_xielu_d1_by_alpha_n_53(double x)
{
    const rl_double_double t = {x, 0};
    return rl_bend_of_53(t).q.hi;
}

#define xielu(x, alpha_p, alpha_n, beta, root) RL_AT_PRECISION(rl_xielu)(x, alpha_p, alpha_n, beta, rl_xielu_root_load(root))
#define xielu_d1(x, alpha_p, alpha_n, beta, turn)                                                                              \
    RL_AT_PRECISION(rl_xielu_d1)(x, alpha_p, alpha_n, beta, rl_xielu_turn_load(turn))
#define xielu_by_alpha_n(x) RL_AT_PRECISION(rl_xielu_by_alpha_n)(x)
#define xielu_d1_by_alpha_n(x) RL_AT_PRECISION(rl_xielu_d1_by_alpha_n)(x)

#endif
