"""Makes valid.txt and mistyped.txt with another implementation of libphonenumber's rules than ours:
pip install phonenumbers==9.0.42 rstr (the version of the metadata is that of the crate rlibphonenumber).

valid.txt: random numbers of every region and type that the plan has. mistyped.txt: numbers with a digit more, less or
another, each with what it is by the plan, or with nothing where it is none.
"""

import random

import phonenumbers
import rstr
from phonenumbers import PhoneMetadata, PhoneNumberFormat

TYPES = "fixed_line mobile toll_free premium_rate shared_cost personal_number voip uan".split()
A_TYPE = 25
MISTYPED = 2


def plan(text):
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(number):
        return ""
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def metadata():
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        yield PhoneMetadata.metadata_for_region(region)
    for code in sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS):
        yield PhoneMetadata.metadata_for_nongeo_region(code)


def main():
    random.seed(7)
    rstr_of = rstr.Rstr(random.Random(7))
    valid, mistyped = set(), {}
    for of in metadata():
        for kind in TYPES:
            desc = getattr(of, kind)
            if desc is None or desc.national_number_pattern in (None, "NA"):
                continue
            drawn = (f"+{of.country_code}{rstr_of.xeger(desc.national_number_pattern)}" for _ in range(60))
            some = [text for text in drawn if 8 <= len(text) <= 16 and plan(text) == text][:A_TYPE]
            valid.update(some)
            for text in some[:MISTYPED]:
                digit = str(random.randint(0, 9))
                for wrong in (text + digit, text[:-1], text[:6] + digit + text[6:], text[:5] + text[6:]):
                    if 8 <= len(wrong) <= 16:
                        mistyped[wrong] = plan(wrong)
    with open("valid.txt", "w") as out:
        out.writelines(f"{text}\n" for text in sorted(valid))
    with open("mistyped.txt", "w") as out:
        out.writelines(f"{text} {is_it}".rstrip() + "\n" for text, is_it in sorted(mistyped.items()))
    print(len(valid), len(mistyped), sum(1 for is_it in mistyped.values() if is_it))


main()
