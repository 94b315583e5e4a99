#include "sim_law.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sl_text.h"

enum { WORDS_MAX = 3, NUMBER_BYTES_MAX = 16 };
#define SIGMA_MAX 4.0

/* The words between blanks; 0 when there are more than WORDS_MAX. */
static size_t split(struct sl_span text, struct sl_span words[WORDS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < text.len;) {
        size_t start = i;
        while (i < text.len && text.data[i] != ' ')
            i++;
        if (i > start && count == WORDS_MAX)
            return 0;
        if (i > start)
            words[count++] = sl_span_of(text.data + start, i - start);
        i++;
    }
    return count;
}

static bool read_us(struct sl_span word, double *out)
{
    int64_t ns;
    if (sl_text_duration(word, false, &ns) != SL_OK || ns < SL_NS_PER_US ||
        ns / SL_NS_PER_US > SIM_LAW_MAX_US)
        return false;
    *out = (double)ns / (double)SL_NS_PER_US;
    return true;
}

static bool read_sigma(struct sl_span word, double *out)
{
    char text[NUMBER_BYTES_MAX];
    char *end;
    if (word.len >= sizeof text)
        return false;
    memcpy(text, word.data, word.len);
    text[word.len] = '\0';
    *out = strtod(text, &end);
    return *end == '\0' && *out >= 0 && *out <= SIGMA_MAX;
}

static bool read_uniform(struct sl_span low, struct sl_span high, struct sim_law *out)
{
    out->kind = SIM_LAW_UNIFORM;
    if (!read_us(low, &out->low_us) || !read_us(high, &out->high_us) || out->low_us > out->high_us)
        return false;
    out->mean_us = (out->low_us + out->high_us) / 2;
    return true;
}

bool sim_law_read(struct sl_span text, struct sim_law *out)
{
    struct sl_span words[WORDS_MAX];
    size_t count = split(text, words);
    *out = (struct sim_law){.kind = SIM_LAW_ALWAYS};
    if (count == 1)
        return read_us(words[0], &out->mean_us);
    if (count == 2 && sl_span_eq_str(words[0], "exponential")) {
        out->kind = SIM_LAW_EXPONENTIAL;
        return read_us(words[1], &out->mean_us);
    }
    if (count == 3 && sl_span_eq_str(words[0], "uniform"))
        return read_uniform(words[1], words[2], out);
    if (count == 3 && sl_span_eq_str(words[0], "lognormal")) {
        out->kind = SIM_LAW_LOGNORMAL;
        return read_us(words[1], &out->mean_us) && read_sigma(words[2], &out->sigma);
    }
    return false;
}

double sim_law_exponential(struct sl_rng *rng)
{
    return -log(1.0 - sl_rng_unit(rng));
}

double sim_law_normal(struct sl_rng *rng)
{
    double radius = sqrt(2 * sim_law_exponential(rng));
    return radius * cos(2 * M_PI * sl_rng_unit(rng));
}

static double draw(const struct sim_law *law, struct sl_rng *rng)
{
    switch (law->kind) {
    case SIM_LAW_EXPONENTIAL:
        return law->mean_us * sim_law_exponential(rng);
    case SIM_LAW_UNIFORM:
        return law->low_us + (law->high_us - law->low_us) * sl_rng_unit(rng);
    case SIM_LAW_LOGNORMAL:
        return law->mean_us * exp(law->sigma * sim_law_normal(rng) - law->sigma * law->sigma / 2);
    case SIM_LAW_ALWAYS:
        break;
    }
    return law->mean_us;
}

int64_t sim_law_draw(const struct sim_law *law, struct sl_rng *rng)
{
    double us = draw(law, rng);
    if (us < 1)
        return 1;
    return us > (double)SIM_LAW_MAX_US ? SIM_LAW_MAX_US : (int64_t)us;
}
